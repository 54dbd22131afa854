"""Refits under several priors, power-scaling, figures, the command."""

from __future__ import annotations

import json

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.cli.command import main
from hlmbayes.errors import SamplingError
from hlmbayes.faces import record_of
from hlmbayes.figures import posterior_plots as plots
from hlmbayes.figures.posterior_set import figures


@pytest.fixture(scope="module")
def result(hsb, model4):
    return hlm.sensitivity(
        model4, hsb, {"default": hlm.Priors(), "tight": hlm.Priors(sd={"b1": hlm.HalfNormal(0.05)})}, seed=1
    )


def test_frame_shows_what_the_prior_does(result):
    table = result.frame()
    assert list(table.loc["sd[b1]"].index) == ["default", "tight"]
    assert table.loc[("sd[b1]", "tight"), "median"] < 0.1
    assert table.loc[("sd[b1]", "tight"), "shift"] < -0.8
    assert abs(table.loc[("g00", "tight"), "shift"]) < 0.1
    with pytest.raises(SamplingError, match="sensitivity wants"):
        hlm.sensitivity(result.first.model, None, [hlm.Priors()])


def test_power_scaling_agrees_with_the_direction_of_refits(result):
    table = hlm.power_scale(result.posteriors["tight"])
    assert table.loc["sd[b1]", "prior"] > 10 * table.loc["g00", "prior"]
    assert table.loc["sd[b1]", "diagnosis"]
    assert not table.loc["g00", "diagnosis"]


def test_power_scaling_weights_the_whole_prior(make_small):
    """Weighted by p(theta)^(a - 1), the mean moves as it does under the prior raised to that power."""
    from hlmbayes.density.conditional import full_log_prior

    model = hlm.Model("y = b0 + r\nb0 = g00 + u0")
    priors = hlm.Priors(gamma=hlm.Normal(48.0, 0.7), sd=hlm.HalfNormal(1.0), sigma=hlm.HalfNormal(1.0))
    # normal densities to the power 2 are normal with variance divided by 2
    half = 2**-0.5
    squared = hlm.Priors(
        gamma=hlm.Normal(48.0, 0.7 * half), sd=hlm.HalfNormal(half), sigma=hlm.HalfNormal(half)
    )
    data = make_small(n_units=30)
    post, refit = (model.sample(data, priors=p, seed=1, draws=4000) for p in (priors, squared))
    record = record_of(post)
    log = full_log_prior(record.target, record.parameter_draws)
    weight = np.exp(log - log.max())
    mean = np.average(post["g00"].ravel(), weights=weight)
    assert mean == pytest.approx(refit["g00"].mean(), abs=0.2 * refit["g00"].std())


def test_figures_have_panels_and_labels(result, hsb, model4):
    import matplotlib.pyplot as plt

    post, fit = result.first, model4.fit(hsb)
    drawn = figures(post, fit)
    assert set(drawn) == {
        "ranks", "densities", "gamma_forest", "tau_pair", "predictive_by_unit", "caterpillar_b0",
    }  # fmt: skip
    assert len(drawn["ranks"].axes) >= 10
    ticks = [t.get_text() for t in drawn["gamma_forest"].axes[0].get_yticklabels()]
    assert ticks[0] == "sector (g01)"
    assert ticks[3] == "ses × sector (g11)"
    _, high = drawn["gamma_forest"].axes[0].get_xlim()
    assert high < post["g00"].mean()  # the intercept is far off, and written below
    assert "Not drawn: intercept (g00) 12." in drawn["gamma_forest"].axes[0].get_xlabel()
    assert "ses: Socioeconomic status of the student" in drawn["gamma_forest"].axes[0].get_xlabel()
    assert "sd[ses] (sd[b1])" in {ax.get_title(loc="left") for ax in drawn["ranks"].axes}
    assert len(plots.ranks(post, ["ses:sector", "sd[ses]"]).axes) >= 2
    forest = result.plot(("sd[b1]", "tau[b1,b1]"), fit=fit)
    assert "REML, the optimum 0.318" in forest.axes[0].get_title(loc="left")
    plt.close("all")


def test_command_writes_everything(tmp_path, capsys):
    folder = tmp_path / "figures"
    status = main([
        "sample", "models/model1_unconditional.hlm", "--seed", "1", "--json", str(tmp_path / "p.json"),
        "--html", str(tmp_path / "p.html"), "--figures", str(folder), "--save", str(tmp_path / "p.nc"),
    ])  # fmt: skip
    assert status == 0
    out = capsys.readouterr().out
    assert "The draws can be used" in out
    assert "half-t with 3 d.f., scale 6.878" in out
    document = json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))
    assert document["usable"] is True
    assert document["summary"]["g00"]["median"] == pytest.approx(12.637, abs=0.05)
    assert document["compare"]["g00"]["reml_exact"] == pytest.approx(12.636974, abs=1e-4)
    assert len(list(folder.glob("*.png"))) == 5
    assert "data:image/png;base64" in (tmp_path / "p.html").read_text(encoding="utf-8")
    back = hlm.load_posterior(tmp_path / "p.nc")
    assert f"{np.median(back['g00']):.4g}" in out


@pytest.mark.parametrize(("arguments", "words"), [
    (["--draws", "0"], "draws must be a whole number"),
    (["--width", "-1"], "width must be a positive number"),
    (["--save", "nowhere/p.nc"], "there is no folder nowhere"),
    (["--seed", "-1"], "seed must be a whole number of at least 0"),
    (["--draws", "6"], "draws times chains must be at least 25, got 24"),
    (["--figures", "nowhere/figures"], "the folder nowhere/figures cannot be made"),
    (["--json", "models/hsb.mdmt"], "models/hsb.mdmt is read here"),
    (["--html", "page.pdf"], "page.pdf: the page is HTML, so that its name ends with .html"),
    (["--json", "-", "--html", "-"], "both go to the screen"),
])  # fmt: skip
def test_command_refuses_in_one_line(arguments, words, capsys):
    assert main(["sample", "models/model1_unconditional.hlm", *arguments]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1


def test_one_parameter_needs_no_tuple(result):
    assert result.frame("g00").equals(result.frame(("g00",)))
