"""Put every number that HLM 6.08 printed for the seminar's models beside hlmbayes.

    python examples/reproduce_hlm.py            every number, then a table by model
    python examples/reproduce_hlm.py --table    the table only, as Markdown (it is in docs/hlm_numerics.md)

For each printed number: HLM's value, ours on HLM's path, the optimum, and how many of HLM's decimals agree
("all" where the two differ by less than a unit of the last one). A ``!`` marks what is more than two units
off. The printed numbers are tests/oracles/hlm608_tables.json; the runs are models/NAME.hlm.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hlmbayes import Fit
from hlmbayes.report.hlm_p_values import chi2_p_value, t_p_value, z_p_value
from hlmbayes.report.json_text import document
from hlmbayes.runs.analysis import job_tables
from hlmbayes.runs.estimate import fit_job, read_data
from hlmbayes.runs.jobs import job_from_file

ROOT = Path(__file__).resolve().parents[1]
PRINTED = json.loads((ROOT / "tests" / "oracles" / "hlm608_tables.json").read_text())
DECIMALS = {
    "sigma2": 5, "se_sigma2": 5, "tau": 5, "se_tau": 5, "tau_corr": 3, "reliability": 3, "loglik": 2, "sd": 5,
    "variance": 5, "chi2": 5, "t": 3, "z": 3, "deviance": 6, "level1_ols_listing": 5,
}  # fmt: skip
FIXED = {"estimate": 6, "se": 6}
ALPHA = {"estimate": 5, "se": 6}
MODEL_COMPARISONS = ("homogeneous", "heterogeneous")  # deviances printed with five decimals
MODEL4 = "model4_intercepts_slopes"
MODEL1 = "model1_unconditional"


@dataclass(frozen=True)
class Number:
    """One printed number, its last decimal, and ours (HLM's path, optimum)."""

    model: str
    what: str
    printed: float
    decimals: int
    path: float
    optimum: float
    text: str

    @property
    def units_off(self) -> float:
        """Distance from HLM's number in units of its last printed decimal."""
        return abs(self.path - self.printed) * 10**self.decimals

    @property
    def good(self) -> bool:
        """Within two units of the last printed digit; a count must be equal."""
        return self.path == self.printed if self.decimals == 0 else self.units_off <= 2.0

    @property
    def agreeing(self) -> str:
        """How many decimals agree."""
        if self.units_off < 1.0:
            return "all"
        if not math.isfinite(self.path):
            return "none"
        return str(max(0, self.decimals - 1 - math.floor(math.log10(self.units_off))))


def runs(name: str) -> dict[str, tuple[dict[str, Any], Fit]]:
    """Run a command file on HLM's path and at the optimum."""
    results = {}
    for algorithm in ("hlm", "exact"):
        job = job_from_file(str(ROOT / "models" / f"{name}.hlm"))
        found = fit_job(replace(job, algorithm=algorithm), read_data(job))
        results[algorithm] = (document(job_tables(job, found)), Fit(found))
    return results


def leaves(printed: Any, path: Any, optimum: Any, where: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """Walk HLM's tables and ours side by side; give place, printed, ours, optimum and the table's row.

    What HLM prints and we do not have comes as None: it counts as missed.
    """
    if isinstance(printed, dict):
        for key, value in printed.items():
            if value is not None:
                ours, best = (
                    found.get(key) if isinstance(found, dict) else None for found in (path, optimum)
                )
                for leaf in leaves(value, ours, best, (*where, key)):
                    yield (*leaf[:4], leaf[4] or (printed, path))
    elif isinstance(printed, list):
        for k, value in enumerate(printed):
            ours, best = (found[k] if found and k < len(found) else None for found in (path, optimum))
            yield from leaves(value, ours, best, (*where, str(k)))
    else:
        yield where, printed, path, optimum, None


def numbers(model: str) -> Iterator[Number]:
    """Give every printed number of a model."""
    results = runs(model)
    table = dict(PRINTED[model])
    if model == MODEL4:
        results_of_tests = runs("model4_tests")
        results = {a: ({**results[a][0], **results_of_tests[a][0]}, results[a][1]) for a in results}
    (path, fit), (optimum, best) = results["hlm"], results["exact"]
    path, optimum = _aliases(path), _aliases(optimum)
    table.pop("derived", None)
    for skipped in ("data", "equations", "method", "loglik_at"):
        table.pop(skipped)
    for where, printed, ours, exact, row in leaves(table, path, optimum, ()):
        if where[-1] in ("coef", "level1", "level2", "gamma", "constrained", "name", "effect", "parameter"):
            continue
        if "contrasts" in where:
            continue
        yield _number(model, where, printed, ours, exact, row)
    yield from _derived(model, fit, best)


def _aliases(found: dict[str, Any]) -> dict[str, Any]:
    """Give the comparison with a stored deviance the names it has in HLM's tables."""
    test = found.get("variance_covariance_test")
    return {**found, "variance_covariance_test_against_model4": test} if test else found


def _number(model: str, where: tuple[str, ...], printed: Any, ours: Any, exact: Any, row: Any) -> Number:
    key = where[-1]
    what = _label(where, row)
    nan = float("nan")
    if key == "p":
        p = _hlm_p(where, row[1])
        decimals = len(printed.split(".")[1])
        if printed.startswith(">"):  # >.500: any p above it is the same print
            return Number(model, what, 0.5, decimals, 0.5 if p > 0.5 else p, _value(exact), printed)
        return Number(model, what, float(printed), decimals, round(p, decimals), _value(exact), printed)
    if isinstance(printed, str):
        return Number(model, what, float(printed), 2, _value(ours), _value(exact), printed)
    decimals = _decimals(where, printed)
    text = f"{printed:.{decimals}f}"
    return Number(
        model, what, float(printed), decimals, _value(ours), nan if exact is None else _value(exact), text
    )


def _value(x: Any) -> float:
    return float("nan") if x is None else float(x)


def _decimals(where: tuple[str, ...], printed: Any) -> int:
    key = next((w for w in reversed(where) if not w.isdigit()), where[-1])
    if where[0] == "level1_ols_listing":
        return DECIMALS["level1_ols_listing"]
    if where[0] in ("fixed", "fixed_robust") and key in FIXED:
        return FIXED[key]
    if where[0] == "alpha" and key in ALPHA:
        return ALPHA[key]
    if where[0] in MODEL_COMPARISONS and key == "deviance":
        return 5
    if where[0] == "general_linear_hypothesis" and key == "chi2":
        return 6
    return 0 if isinstance(printed, int) else DECIMALS[key]


def _label(where: tuple[str, ...], row: Any) -> str:
    names = row[0] if row else {}
    of = names.get("gamma") or names.get("effect") or names.get("parameter")
    place = [w for w in where if not (of and w.isdigit())]
    return " ".join([place[0], *([of] if of else []), *place[1:]])


def _hlm_p(where: tuple[str, ...], row: dict[str, Any]) -> float:
    """Give the p-value as HLM computes it from our statistic."""
    if where[0] in ("fixed", "fixed_robust"):
        return t_p_value(row["t"], row["df"])
    return z_p_value(row["z"]) if where[0] == "alpha" else chi2_p_value(row["chi2"], row["df"])


def _derived(model: str, fit: Fit, best: Fit) -> Iterator[Number]:
    """Give what the seminar computes by hand from the listing."""
    wanted = PRINTED[model].get("derived", {})
    if not wanted:
        return
    base = {a: runs(MODEL1)[a][1] for a in ("hlm", "exact")}
    for name, value in wanted.items():
        ours = [_by_hand(name, f, base[a]) for a, f in (("hlm", fit), ("exact", best))]
        values = value if isinstance(value, list) else [value]
        for k, v in enumerate(values):
            decimals = 3 if name.startswith("level1_variance") else 2
            label = f"by hand: {name}" + (f" {('low', 'high')[k]}" if len(values) > 1 else "")
            yield Number(model, label, v, decimals, ours[0][k], ours[1][k], f"{v:.{decimals}f}")


def _by_hand(name: str, fit: Fit, base: Fit) -> tuple[float, ...]:
    if "icc" in name:
        return (float(fit.icc().icc),)
    if "range" in name:
        at = dict.fromkeys(fit.model.level2_variables, 0.0)  # as the seminar has them
        found = fit.plausible_range("b1" if "slopes" in name else "b0", at=at)
        return (found.low, found.high)
    k = "u0" if name.startswith("level2") else "r"
    before, after = (float(f.variance_components().loc[k, "variance"]) for f in (base, fit))
    return ((before - after) / before,)


def show(found: list[Number]) -> None:
    """Print every number."""
    print(f"{'':2}{'':34}{'HLM 6.08':>16}{'HLM path':>18}{'optimum':>18}  decimals that agree")
    model = ""
    for n in found:
        if n.model != model:
            model = n.model
            print(f"\n{model}")
        ours = f"{n.path:.{n.decimals + 2}f}" if n.decimals else f"{n.path:g}"
        best = (
            ""
            if math.isnan(n.optimum)
            else f"{n.optimum:.{n.decimals + 2}f}"
            if n.decimals
            else f"{n.optimum:g}"
        )
        print(f"{' ' if n.good else '!':2}{n.what[:34]:34}{n.text:>16}{ours:>18}{best:>18}  {n.agreeing}")


def summary(found: list[Number]) -> None:
    """Print the table by model, Markdown, and the total as the last line."""
    print(
        "\n| model | printed numbers | within 2 units of the last digit | largest miss |\n|---|---|---|---|"
    )
    for model in dict.fromkeys(n.model for n in found):
        of = [n for n in found if n.model == model]
        good = sum(n.good for n in of)
        bad = [n for n in of if not n.good]
        worst = max(bad, key=lambda n: abs(n.path - n.printed) / max(abs(n.printed), 1e-9), default=None)
        miss = f"{worst.what}: {worst.text}, here {worst.path:.{worst.decimals}f}" if worst else "none"
        print(f"| {model} | {len(of)} | {good} ({100 * good / len(of):.1f} %) | {miss} |")
    good = sum(n.good for n in found)
    share = 100 * good / len(found)
    print(
        f"\ntotal: {good} of {len(found)} printed numbers within 2 units of their last digit: {share:.1f} %"
    )


def main() -> None:
    """Compare all models."""
    found = [n for model in PRINTED for n in numbers(model)]
    if "--table" not in sys.argv:
        show(found)
    summary(found)


if __name__ == "__main__":
    main()
