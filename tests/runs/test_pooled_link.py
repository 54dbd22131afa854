"""`hlmbayes run` of outcomes that are not normal over several data sets: the same as in Python."""

import json

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.cli.command import main
from tests.hglm.test_counting import FIXED, FRAME

LEFT = {
    "logit(y)": "Odds ratios",
    "cumlogit(rating)": "Cuts between categories",
    "log(hits, exposure=n)": "Event rate",
}


@pytest.fixture
def files(tmp_path):
    """Three files in which some of x are drawn anew."""
    places = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        gone = rng.random(len(FRAME)) < 0.2
        places.append(tmp_path / f"imp{seed}.csv")
        FRAME.assign(x=np.where(gone, rng.integers(0, 2, len(FRAME)), FRAME.x)).to_csv(
            places[-1], index=False
        )
    return places


def written(files, left, more=""):
    one, *others = (file.name for file in files)
    place = files[0].parent / "model.txt"
    place.write_text(f"data: {one}\nid: id\nimputed: {', '.join(others)}\n{more}{left} = {FIXED}\n")
    return place


@pytest.mark.parametrize("left", LEFT)
def test_imputed_files_are_pooled(files, left, capsys):
    out, page = files[0].parent / "out.json", files[0].parent / "out.html"
    assert main(["run", str(written(files, left)), "--json", str(out), "--html", str(page)]) == 0
    pooled = hlm.fit_imputed(hlm.Model(f"{left} = {FIXED}"), hlm.read_imputed(files, id="id"))
    expected = json.loads(pooled.to_json())
    found = json.loads(out.read_text())
    for key in ("fixed", "fixed_robust", "variance_components", "intervals", "cuts", "ratios"):
        assert found[key] == expected[key], key
    listing = capsys.readouterr().out
    assert listing.endswith(pooled.listing())
    assert LEFT[left] in listing
    assert LEFT[left] in page.read_text(encoding="utf-8")
    row = pooled.fixed_effects().loc["g10"]
    line = next(text for text in pooled.listing().splitlines() if "INTRCPT2, G10" in text)
    assert line.split()[2:4] == [f"{row.coefficient:.6f}", f"{row.se:.6f}"]


def test_what_does_not_pool_such_fits_says_who_does(files, capsys):
    place = written(files, "logit(y)", "algorithm: hlm\n")
    assert main(["run", str(place)]) == 2
    assert "are pooled by the likelihood: add --algorithm exact" in capsys.readouterr().err
    place = written(files, "logit(y)")
    for command in ("summary", "plot", "sample"):
        assert main([command, str(place)]) == 2
        assert "pooled" in capsys.readouterr().err


def test_files_without_commas_between_them_are_told_how(files, capsys):
    place = written(files, "logit(y)")
    place.write_text(place.read_text().replace(", ", " "))
    assert main(["run", str(place)]) == 2
    assert "imp1.csv imp2.csv is several files: write commas between them" in capsys.readouterr().err
