"""HLM's path against listings that are not the seminar's: other data, HLM 5 to 7 or 8, REML and ML.

`tests/oracles/hlm_listings.json` has the printed numbers, as printed, with their sources. A number agrees
if ours rounds to the printed digits. All do but these (LOOSER):

- the intercepts of `language_iq` (2e-6 off) and `language_slopes` (1e-6 off). HLM adds up grand means in
  single precision, which shifts what it centres about and with it the intercept; we add up in double
  precision. The test of single precision below shows it.
- two chi-squares of the intercept (2.5 and 1.5 units of the last digit, 5e-8 of the value) and tau_00 of
  `reading_growth` (11.04586612, printed 11.04586): not known why; the seminar's chi-squares do the same.

The data of `rebuilt` are not public or not found. A balanced model's likelihood depends on its data only
through the dispersion of the units' coefficients and the residual variance, so data with the printed ones
stand in; their numbers agree within what the rounding of the printed ones leaves open.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes import Fit
from hlmbayes.faces import record_of
from hlmbayes.likelihood.design import unit_ols

ORACLES = Path(__file__).parents[1] / "oracles"
PRINTED = json.loads((ORACLES / "hlm_listings.json").read_text())
LISTINGS = PRINTED["listings"]
REBUILT = PRINTED["rebuilt"]
#: what does not round to the printed digits: allowed distance in units of the last one
LOOSER = {
    ("language_iq", "G00"): 2.0,
    ("language_slopes", "G00"): 1.0,
    ("language_null", "chi2"): 3.0,
    ("alcohol_null", "chi2"): 2.0,
    ("reading_growth", "tau"): 1.0,
}


def units_off(value: float, printed: str) -> float:
    """Give the distance from a printed number in units of its last digit."""
    mantissa, _, exponent = printed.partition("E")
    unit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    return abs(value - float(printed)) / unit


def agrees(value: float, printed: str, within: float = 0.5) -> bool:
    """Tell whether a value rounds to what is printed, or is ``within`` so many units of the last digit."""
    return units_off(value, printed) <= within + 1e-6


def csv(name: str) -> pd.DataFrame:
    return pd.read_csv(ORACLES / "data" / f"{name}.csv")


def waves(frame: pd.DataFrame, time: list[float], names: tuple[str, str]) -> hlm.TwoLevelData:
    """Give rows from one line a person: id, then the outcome at each time."""
    ids, values = frame["id"], frame.drop(columns="id").to_numpy(dtype=float)
    rows = {
        "id": np.repeat(ids, values.shape[1]),
        names[0]: np.tile(time, len(ids)),
        names[1]: values.ravel(),
    }
    return hlm.read(pd.DataFrame(rows), pd.DataFrame({"id": ids}), id="id")


def language() -> hlm.TwoLevelData:
    rows = csv("language")
    schools = rows.groupby("school", as_index=False).agg(iq_mean=("iq_verb", "mean"))
    return hlm.read(rows, schools, id="school")


def wages() -> hlm.TwoLevelData:
    rows, persons = csv("wages"), csv("wages_persons")
    rows["hgc1"] = rows["id"].map(persons.set_index("id")["hgc_9"])
    return hlm.read(rows, persons, id="id")


def alcohol() -> hlm.TwoLevelData:
    squares = csv("alcohol")
    return waves(squares.apply(np.sqrt).assign(id=squares["id"]), [0.0, 1.0, 2.0], ("age_14", "alcuse"))


DATA = {
    "language": language,
    "wages": wages,
    "alcohol": alcohol,
    "reading": lambda: waves(csv("reading"), [0.0, 2.0, 4.0], ("cagegrp", "piat")),
    "hsb": hlm.datasets.hsb,
}


def fitted(printed: dict, data: hlm.TwoLevelData) -> Fit:
    model = hlm.Model("\n".join(printed["equations"]))
    return model.fit(data, method=printed["method"], algorithm="hlm", max_iterations=5000)


@pytest.fixture(scope="module", params=list(LISTINGS))
def case(request) -> tuple[str, dict, Fit]:
    printed = LISTINGS[request.param]
    return request.param, printed, fitted(printed, DATA[request.param.partition("_")[0]]())


def test_iterations_likelihood_and_counts(case) -> None:
    _, printed, fit = case
    assert fit.converged
    counts = {"iteration": fit.iterations, "n_parameters": fit.n_parameters}
    counts["full_rank"] = int(record_of(fit).design.full_rank.sum())
    assert {k: counts[k] for k in counts if k in printed} == {k: printed[k] for k in counts if k in printed}
    for key in ("loglik", "deviance"):
        assert key not in printed or agrees(getattr(fit, key), printed[key])


@pytest.mark.parametrize("key", ["sigma2", "se_sigma2", "tau", "se_tau", "tau_corr", "reliability"])
def test_variances(case, key: str) -> None:
    name, printed, fit = case
    if key in printed:
        got = getattr(fit, key)
        pairs = zip(np.ravel(got() if callable(got) else got), np.ravel(printed[key]), strict=True)
        assert all(agrees(v, p, LOOSER.get((name, key), 0.5)) for v, p in pairs)


@pytest.mark.parametrize("key", ["fixed", "fixed_robust"])
def test_fixed_effects(case, key: str) -> None:
    name, printed, fit = case
    table = fit.fixed_effects(robust=key == "fixed_robust")
    for row in printed.get(key, []):
        got = table.loc[row["gamma"].lower()]
        assert agrees(got["coefficient"], row["estimate"], LOOSER.get((name, row["gamma"]), 0.5))
        assert agrees(got["se"], row["se"])
        assert agrees(got["t_ratio"], row["t"])
        assert got["df"] == float(row["df"])


def test_variance_components(case) -> None:
    name, printed, fit = case
    table = fit.variance_components()
    for row in printed.get("variance_components", []):
        got = table.loc[row["effect"].lower()]
        assert agrees(got["sd"], row["sd"])
        assert agrees(got["variance"], row["variance"])
        if "chi2" in row:
            assert agrees(got["chi2"], row["chi2"], LOOSER.get((name, "chi2"), 0.5))
            assert got["df"] == float(row["df"])


def test_single_precision_grand_means_explain_the_intercepts() -> None:
    rows = csv("language")
    level1 = added_up(rows["iq_verb"]) - rows["iq_verb"].mean()
    schools = rows.groupby("school")["iq_verb"].mean()
    level2 = added_up(schools) - schools.mean()
    shifts = {"language_iq": {"g10": level1}, "language_slopes": {"g10": level1, "g01": level2}}
    for name, shift in shifts.items():
        fit = fitted(LISTINGS[name], language())
        intercept = fit.gamma["g00"] + sum(fit.gamma[g] * by for g, by in shift.items())
        assert agrees(intercept, LISTINGS[name]["fixed"][0]["estimate"])


def added_up(values: pd.Series) -> float:
    """Give the mean as single precision adds it up, one value after the other."""
    total = np.cumsum(values.to_numpy(dtype=np.float32), dtype=np.float32)[-1]
    return float(total / np.float32(len(values)))


def test_ols_of_units_with_four_coefficients() -> None:
    printed = PRINTED["level1_ols"]
    model = hlm.Model("\n".join(printed["equations"]))
    fit = model.fit(hlm.datasets.hsb(), algorithm="hlm", max_iterations=1)
    b = unit_ols(record_of(fit).design)[0] + record_of(fit).design.level1_coefficients(
        record_of(fit).design.gamma_ols
    )
    at = {str(unit): k for k, unit in enumerate(record_of(fit).design.moments.unit_ids)}
    for unit, row in printed["units"].items():
        assert all(agrees(v, p) for v, p in zip(b[at[unit]], row, strict=True))


# --- data rebuilt from what was printed ----------------------------------------------------------


def early_intervention() -> hlm.TwoLevelData:
    """Give 103 children, 45 and 58 in the two groups, with the printed start's dispersion and residuals."""
    printed = REBUILT["early_intervention"]["start"]
    sigma2, time = float(printed["sigma2"]), np.array([0.0, 0.5, 1.0])
    z = np.column_stack([np.ones(3), time])
    dispersion = np.array(printed["tau_raw"], dtype=float) + sigma2 * np.linalg.inv(z.T @ z)
    w = np.column_stack([np.ones(103), np.arange(103) >= 45])
    u = np.random.default_rng(1).normal(size=(103, 2))
    u -= w @ np.linalg.lstsq(w, u)[0]
    u = u @ np.linalg.inv(np.linalg.cholesky(u.T @ u / 103).T) @ np.linalg.cholesky(dispersion).T
    gamma = np.array([float(row["estimate"]) for row in printed["fixed"]]).reshape(2, 2).T
    curve = np.sqrt(sigma2 / 6.0) * np.array([1.0, -2.0, 1.0])  # orthogonal to z
    y = (w @ gamma + u) @ z.T + np.where(np.arange(103) % 2, 1.0, -1.0)[:, None] * curve
    rows = {"id": np.repeat(np.arange(103), 3), "time": np.tile(time, 103), "cog": y.ravel()}
    return hlm.read(pd.DataFrame(rows), pd.DataFrame({"id": np.arange(103), "program": w[:, 1]}), id="id")


def balanced(name: str) -> hlm.TwoLevelData:
    """Give a balanced data set whose REML estimates are the printed variances."""
    printed = REBUILT[name]
    n_units, n = printed["units"], printed["rows"]
    sigma2, tau = float(printed["sigma2"]), float(printed["tau"][0][0])
    rng = np.random.default_rng(1)
    between, within = rng.normal(size=n_units), rng.normal(size=(n_units, n))
    between -= between.mean()
    within -= within.mean(axis=1, keepdims=True)
    df = (n_units - 1) * (n - 1) if len(printed["equations"]) > 2 else n_units * (n - 1)
    if len(printed["equations"]) > 2:  # the dummies take the means of the columns
        within -= within.mean(axis=0)
    between *= np.sqrt((tau + sigma2 / n) * (n_units - 1) / np.sum(between**2))
    within *= np.sqrt(sigma2 * df / np.sum(within**2))
    rows = {"id": np.repeat(np.arange(n_units), n), "y": (2.865 + between[:, None] + within).ravel()}
    rows |= {f"d{k}": np.tile(np.arange(n) == k, n_units).astype(float) for k in range(1, n)}
    return hlm.read(pd.DataFrame(rows), pd.DataFrame({"id": np.arange(n_units)}), id="id")


def test_a_bad_start_that_is_not_positive_definite_and_the_long_path_from_it() -> None:
    printed = REBUILT["early_intervention"]
    fit = fitted(printed, early_intervention())
    assert fit.converged
    assert fit.start is not None
    for got, expected in ((fit.start.tau_raw, "tau_raw"), (fit.start.tau, "tau")):
        pairs = zip(np.ravel(got), np.ravel(printed["start"][expected]), strict=True)
        assert all(agrees(v, p) for v, p in pairs)
    assert not any(i.accelerated for i in fit.log)  # every scoring step leaves the parameter space
    # the start is known to five decimals, and a thousand iterations pass that on
    for key in ("sigma2", "se_sigma2", "tau", "se_tau"):
        pairs = zip(np.ravel(getattr(fit, key)), np.ravel(printed[key]), strict=True)
        assert all(agrees(v, p, within=2.0) for v, p in pairs)
    for got, expected in ((fit.reliability(), "reliability"), (fit.tau_corr, "tau_corr")):
        assert all(agrees(v, p) for v, p in zip(np.ravel(got), np.ravel(printed[expected]), strict=True))


@pytest.mark.parametrize("name", ["scores", "gpa"])
def test_balanced_data(name: str) -> None:
    printed = REBUILT[name]
    fit = fitted(printed, balanced(name))
    assert fit.iterations == printed["iteration"]
    assert agrees(fit.sigma2, printed["sigma2"])
    assert agrees(fit.tau[0, 0], printed["tau"][0][0])
    assert agrees(fit.reliability()[0], printed["reliability"][0])
    # half a unit of the last digit of sigma2 moves the log-likelihood by so much
    slack = 0.5 * (fit.n_rows - fit.n_units) * 5e-6 / fit.sigma2
    assert fit.loglik == pytest.approx(float(printed["loglik"]), abs=slack)
    for row in printed.get("fixed", []):
        got = fit.fixed_effects().loc[row["gamma"].lower()]
        assert agrees(got["coefficient"], row["estimate"])
        assert agrees(got["se"], row["se"], within=1.0)
        assert got["df"] == float(row["df"])
