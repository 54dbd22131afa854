"""Deviance comparisons: what they give and what they refuse; the chi-bar-square p-value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from hlmbayes import Fit, Model, datasets
from hlmbayes.errors import HypothesisError
from hlmbayes.faces import record_of
from hlmbayes.inference.boundary import boundary_p_value, cone_lengths, tail
from hlmbayes.likelihood.pattern import Pattern
from tests.small import Small, small

SOURCE = small(41, n_units=30, sd=1.5)
FULL = "y = b0 + b1*x + b2*z + r\nb0 = g00 + g01*w + u0\nb1 = g10 + u1\nb2 = g20 + u2"


def fit(text: str, source: Small = SOURCE, **options: Any) -> Fit:
    return Model(text).fit(source.data(), **options)


def without(*effects: str) -> str:
    text = FULL
    for effect in effects:
        text = text.replace(f" + {effect}", "")
    return text


def test_one_variance_has_an_equal_mixture_of_two_chi_squares() -> None:
    simple, general = fit(without("u2", "u1")), fit(without("u2"))
    test = general.compare(simple)
    chi2 = simple.deviance - general.deviance
    assert test.chi2 == pytest.approx(chi2)
    assert test.df == 2
    assert test.p_value == pytest.approx(stats.chi2.sf(chi2, 2))
    assert test.p_boundary == pytest.approx(0.5 * stats.chi2.sf(chi2, 1) + 0.5 * stats.chi2.sf(chi2, 2))
    assert simple.compare(general).chi2 == test.chi2
    assert "chi-bar-square" in str(test)
    assert f"{simple.deviance:.6f} (2 parameters) against {general.deviance:.6f} (4)" in str(test)


def test_the_first_variance_has_half_its_weight_at_zero() -> None:
    simple, general = fit("y = b0 + r\nb0 = g00 + g01*w"), fit("y = b0 + r\nb0 = g00 + g01*w + u0")
    test = simple.compare(general)
    assert test.df == 1
    assert test.p_boundary == pytest.approx(0.5 * test.p_value)


def test_fixed_effects_only_have_no_boundary_and_need_ml() -> None:
    simple, general = without(), FULL.replace("b2 = g20 + u2", "b2 = g20 + g21*w + u2")
    test = fit(simple, method="ML").compare(fit(general, method="ML"))
    assert test.df == 1
    assert test.p_boundary == test.p_value
    assert "chi-bar-square" not in str(test)
    with pytest.raises(HypothesisError, match=r'differ in their fixed effects.*Fit both with method="ML"'):
        fit(simple).compare(fit(general))


def test_two_variances_are_simulated_and_lie_between_the_bounds() -> None:
    simple, general = fit(without("u1", "u2")), fit(FULL)
    test = simple.compare(general)
    assert test.df == 5
    free = 2  # covariances with u0; then a 2 x 2 matrix
    low, high = tail(test.chi2, free), stats.chi2.sf(test.chi2, 5)
    assert low <= test.p_boundary <= high  # type: ignore[operator]
    assert test.p_boundary == simple.compare(general).p_boundary
    assert "simulated" in str(test)


def test_two_variances_against_none_have_no_free_parameter() -> None:
    # nothing random against two uncorrelated-at-zero coefficients: the whole difference is on the cone
    simple, general = (
        fit("y = b0 + b1*x + r\nb0 = g00\nb1 = g10"),
        fit("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10 + u1"),
    )
    for chi2 in (1.0, 4.0, 9.0):
        p, note = boundary_p_value(record_of(simple), record_of(general), chi2, 3)
        assert 0.25 * stats.chi2.sf(chi2, 1) < p < stats.chi2.sf(chi2, 3)  # type: ignore[operator]
        assert "simulated" in note
    assert boundary_p_value(record_of(simple), record_of(general), 0.0, 3)[0] == 1.0


def cone_2x2_weights(metric: np.ndarray, n: int = 200_000) -> np.ndarray:
    """Intrinsic volumes of the 2 x 2 semi-definite cone: solid angles by a Fibonacci lattice on the sphere.

    v3 is the angle of the cone, v0 that of its polar; v1 + v3 = v0 + v2 = 1/2 (Gauss-Bonnet).
    """
    k = np.arange(n) + 0.5
    cosine, turn = 1 - 2 * k / n, np.pi * (1 + 5**0.5) * k
    sine = np.sqrt(1 - cosine**2)
    sphere = np.stack([sine * np.cos(turn), sine * np.sin(turn), cosine])

    def definite(v: np.ndarray) -> np.ndarray:
        a, b, c = v[0], v[1] / np.sqrt(2), v[2]
        return (a >= 0) & (c >= 0) & (a * c >= b * b)

    chol = np.linalg.cholesky(metric)
    z = np.linalg.solve(chol.T, sphere)
    v3, v0 = definite(z).mean(), definite(-(metric @ z)).mean()
    return np.array([v0, 0.5 - v3, 0.5 - v0, v3])


@pytest.mark.parametrize("correlation", [0.0, 0.5, -0.7])
def test_cone_projection_has_the_mixture_that_geometry_gives(correlation: float) -> None:
    a = np.array([[1.0, 0.2, correlation], [0.2, 2.0, 0.3], [correlation, 0.3, 1.5]])
    weights = cone_2x2_weights(a)
    lengths = cone_lengths(a, Pattern(((0, 1),)), draws=20_000)
    for x in (0.5, 2.0, 4.0, 7.0):
        expected = sum(w * (stats.chi2.sf(x, k) if k else 0.0) for k, w in enumerate(weights))
        assert np.mean(lengths > x) == pytest.approx(expected, abs=4 * np.sqrt(expected / 20_000) + 1e-3)


def test_a_cone_of_one_is_the_half_line() -> None:
    lengths = cone_lengths(np.array([[3.0]]), Pattern(((0,),)), draws=20_000)
    assert np.mean(lengths == 0) == pytest.approx(0.5, abs=0.015)
    assert np.mean(lengths > 2.706) == pytest.approx(0.05, abs=0.006)


def test_a_simpler_model_on_the_boundary_has_no_corrected_p_value() -> None:
    source = small(44, n_units=12, sd=0.0)
    general = fit("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10 + u1", source)
    simple = fit("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10", source)
    assert simple.boundary
    test = simple.compare(general)
    assert test.p_boundary is None
    assert "No boundary-corrected p-value" in str(test)
    assert "Simpler model: On the boundary" in str(test)
    assert 0.0 <= test.p_value <= 1.0


def test_equal_deviances_have_p_one() -> None:
    source = small(40, n_units=12, sd=0.0)
    simple, general = (
        fit("y = b0 + b1*x + r\nb0 = g00\nb1 = g10", source),
        fit("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10", source),
    )
    assert general.boundary
    test = simple.compare(general)
    assert test.chi2 == pytest.approx(0.0, abs=1e-8)
    assert test.p_boundary == pytest.approx(1.0, abs=1e-3)


def test_models_that_are_not_nested_as_written_are_marked() -> None:
    a = fit("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10", method="ML")
    b = fit("y = b0 + b1*z + r\nb0 = g00 + u0\nb1 = g10 + u1", method="ML")
    test = a.compare(b)
    assert test.p_boundary is None
    assert "the fixed effects of the simpler model are not among those of the other" in str(test)
    c = fit("y = b0 + b1*x + b2*z + r\nb0 = g00\nb1 = g10 + u1\nb2 = g20")
    d = fit("y = b0 + b1*x + b2*z + r\nb0 = g00 + u0\nb1 = g10\nb2 = g20 + u2")
    assert "the random effects of the simpler model are not among" in str(c.compare(d))


def test_a_larger_deviance_of_the_larger_model_is_pointed_out() -> None:
    a = fit("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10", method="ML")
    b = fit("y = b0 + b1*d + r\nb0 = g00 + u0\nb1 = g10 + u1", method="ML")
    test = a.compare(b)
    assert test.chi2 < 0
    assert test.p_value == 1.0
    assert "larger deviance" in str(test)


# --- stored deviances ---


def test_stored_deviance_as_hlm_compares_it(hlm_tables: dict[str, Any]) -> None:
    stored = hlm_tables["model4_intercepts_slopes"]
    nonrandom = Model(
        """mathach = b0 + b1*group(ses) + r
        b0 = g00 + g01*sector + g02*meanses + u0
        b1 = g10 + g11*sector + g12*meanses"""
    ).fit(datasets.hsb(), algorithm="hlm")
    test = nonrandom.compare(deviance=stored["deviance"], n_parameters=stored["n_parameters"])
    printed = hlm_tables["model4_nonrandom_slope"]["variance_covariance_test_against_model4"]
    assert test.chi2 == pytest.approx(printed["chi2"], abs=2e-5)
    assert (test.df, test.p_boundary) == (printed["df"], None)
    assert test.p_value > 0.5
    assert "cannot be checked" in str(test)


def test_hlm_constant_is_pointed_out_where_it_differs() -> None:
    even, odd = fit("y = b0 + r\nb0 = g00 + u0"), fit("y = b0 + r\nb0 = g00 + g01*w + u0")
    pair = [f.compare(deviance=100.0, n_parameters=9) for f in (even, odd)]
    assert sum("1.838" in str(test) for test in pair) == 1
    assert all("larger deviance" in str(t) or t.chi2 >= 0 for t in pair)


def test_stored_numbers_are_checked() -> None:
    one = fit(without("u2"))
    for deviance, count in ((np.nan, 3), (100.0, 2.5), (100.0, 0)):
        with pytest.raises(HypothesisError, match="a stored model needs"):
            one.compare(deviance=deviance, n_parameters=count)  # type: ignore[arg-type]
    with pytest.raises(HypothesisError, match="both have 4 parameters"):
        one.compare(deviance=100.0, n_parameters=4)
    with pytest.raises(HypothesisError, match="give another fit"):
        one.compare()
    test = one.compare(deviance=one.deviance + 50.0, n_parameters=9)
    assert "the test means nothing" in str(test)
    assert test.p_value == 1.0


# --- parametric bootstrap ---


def test_bootstrap_of_a_deviance_refits_both_models() -> None:
    source = small(45, n_units=15, sd=0.8)
    m = [
        Model(t)
        for t in (
            "y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10",
            "y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10 + u1",
        )
    ]
    simple, general = (one.fit(source.data()) for one in m)
    n = 19
    test = general.compare(simple, bootstrap=n, seed=3)
    # the same seed by hand: rows are not needed, designs are drawn for the general model's columns
    from hlmbayes.estimation.hlm_path import hlm_loglik
    from hlmbayes.inference.bootstrap import Simulator, about_ols, estimate
    from hlmbayes.likelihood.evaluate import evaluate, standardise
    from hlmbayes.likelihood.system import to_standard

    simulate, rng, above = (
        Simulator(
            record_of(general).design,
            record_of(simple).components.tau,
            simple.sigma2,
            record_of(simple).design.random,
        ),
        np.random.default_rng(3),
        0,
    )
    for _ in range(n):
        de, ee = simulate.errors(rng)
        values = []
        for f in (simple, general):
            drawn = about_ols(record_of(f).design, de, ee, np.zeros(2))
            _, tau, sigma2, _ = estimate(drawn, True)
            system = standardise(drawn)
            theta, s2 = to_standard(system, tau, sigma2)
            root = np.linalg.cholesky(theta + 1e-14 * np.eye(len(theta)))
            values.append(-2 * hlm_loglik(system, evaluate(system, root), s2, True))
        above += values[0] - values[1] >= test.chi2 - 1e-6
    assert test.p_bootstrap == pytest.approx((1 + above) / (1 + n))
    assert "19 data sets simulated from the simpler model (seed 3)" in str(test)
    assert "Parametric bootstrap: p = " in str(test)


def test_bootstrap_finds_columns_by_name_and_serves_the_boundary() -> None:
    source = small(44, n_units=12, sd=0.0)
    simple = fit("y = b0 + b1*z + b2*x + r\nb0 = g00 + u0\nb1 = g10\nb2 = g20", source, method="ML")
    general = fit(
        "y = b0 + b1*x + b2*z + b3*d + r\nb0 = g00 + u0\nb1 = g10 + u1\nb2 = g20\nb3 = g30",
        source,
        method="ML",
    )
    seen: list[int] = []
    test = simple.compare(general, bootstrap=9, seed=1, progress=lambda done, n: seen.append(done))
    assert seen == list(range(1, 10))
    assert 0.1 <= test.p_bootstrap <= 1.0  # type: ignore[operator]
    again = simple.compare(general, bootstrap=9, seed=1)
    assert again.p_bootstrap == test.p_bootstrap


def test_a_large_difference_is_never_reached() -> None:
    simple, general = fit("y = b0 + r\nb0 = g00"), fit("y = b0 + r\nb0 = g00 + u0")
    assert simple.compare(general, bootstrap=19, seed=2).p_bootstrap == pytest.approx(0.05)
    with pytest.raises(HypothesisError, match="give another fit"):
        simple.compare(deviance=1.0, n_parameters=9, bootstrap=5)
    with pytest.raises(HypothesisError, match="at least 2"):
        simple.compare(general, bootstrap=1)


def test_failed_data_sets_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    import hlmbayes.inference.bootstrap as module
    from hlmbayes.errors import EstimationError

    simple, general = fit("y = b0 + r\nb0 = g00"), fit("y = b0 + r\nb0 = g00 + u0")

    def never(design: object, reml: bool) -> float:
        raise EstimationError("no")

    monkeypatch.setattr(module, "_deviance", never)
    with pytest.raises(HypothesisError, match="none of the simulated data sets"):
        simple.compare(general, bootstrap=5, seed=1)


def test_no_bootstrap_of_a_level1_variance_that_varies() -> None:
    source = small(53, n_units=15, sd=1.5)
    plain, noisy = (
        Model("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10" + more).fit(source.data(), method="ML")
        for more in ("", "\nlog(sigma2) = a0 + a1*d")
    )
    with pytest.raises(HypothesisError, match="needs one level-1 variance"):
        plain.compare(noisy, bootstrap=10, seed=1)


def test_a_bootstrap_that_is_not_done_is_said() -> None:
    data = small(5, n_units=20).data()
    one = Model("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10").fit(data, method="ML")
    two = Model("y = b0 + b1*z + r\nb0 = g00 + u0\nb1 = g10 + u1").fit(data, method="ML")
    test = one.compare(two, bootstrap=10, seed=1)
    assert test.p_bootstrap is None
    assert "There is no bootstrap" in str(test)
