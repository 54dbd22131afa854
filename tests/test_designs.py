"""Generated designs: results or refusals in words, nothing warns from below, no nan without a reason."""

from __future__ import annotations

import math
import random
import re
import warnings
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.errors import HLMError, HLMWarning
from hlmbayes.faces import record_of
from tests.designs import questions, random_case

# columns that docs/residuals_and_figures.md says are missing for units without enough rows
MISSING = re.compile(r"ol|lntotvar|mdrsvar")


def missing(value: Any) -> Iterator[tuple[Any, Any]]:
    """Where in a result there is nan: row and column of a table, names of attributes."""
    if isinstance(value, pd.DataFrame):
        for column in value.select_dtypes("number"):
            yield from ((index, column) for index in value.index[value[column].isna()])
    elif isinstance(value, np.ndarray):
        if value.dtype.kind == "f" and np.isnan(value).any():
            yield "array", ""
    elif isinstance(value, float):
        if math.isnan(value):
            yield "number", ""
    elif isinstance(value, tuple | list):
        for each in value:
            yield from missing(each)
    elif isinstance(value, dict):
        yield from missing(list(value.values()))
    elif is_dataclass(value):
        for field in fields(value):
            yield from missing(getattr(value, field.name))


def explained(name: str, row: Any, column: Any, result: Any, fit: hlm.Fit) -> bool:
    """Say whether a result tells why it has nan there."""
    record, kind = record_of(fit), name.split()[0]
    if kind == "fixed_effects":
        return row in result.attrs.get("not_available", {})
    if kind == "confint":
        return str(result.loc[row, "method"]).startswith("not available")
    if kind == "influence":
        return math.isinf(result.loc[row, "cook"])
    if name == "residuals 2":
        return bool(MISSING.match(column))
    if kind == "variance_components":
        return row == "r" or record.counting.pseudo or not result.loc[row, "df"] > 0
    if kind in ("tau_corr", "se_tau", "se_sigma2"):
        independent = not record.design.pattern.full  # a covariance that is no parameter
        return bool(fit.warnings) or independent or not record.law.one_sigma2 or record.law.held is not None
    if kind == "log_sigma2":
        return any("is as good as unknown" in note for note in fit.warnings)
    if kind == "reliability":
        return not record.design.full_rank.any()
    return bool(re.search(r"not available|No interval|nan: |[Nn]o test|no Q", str(result)))


def faults(seed: int, share: float, chosen: random.Random) -> list[str]:
    """Fit one design and ask a share of all questions; give what should not be."""
    case, found = random_case(seed), []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", HLMWarning)
        try:
            fit = case.fit()
        except HLMError as error:
            return [] if str(error) else ["a refusal without a word"]
        for name, ask in questions(fit).items():
            if chosen.random() > share:
                continue
            try:
                result = ask()
            except HLMError:
                continue
            except Exception as error:
                found.append(f"{name}: {type(error).__name__}: {error}")
                continue
            found += [
                f"{name}: nan at {row} {column} without a reason"
                for row, column in missing(result)
                if not explained(name, row, column, result, fit)
            ]
            if name in ("listing", "repr") and re.search(r"\bnan\b", str(result)):
                found.append(f"{name} has nan")
    return [f"{seed}: {fault} {case.words}" for fault in found]


@pytest.mark.parametrize("start", [0, 12])
def test_designs_give_results_or_refusals(start: int) -> None:
    chosen = random.Random(start)
    assert not [fault for seed in range(start, start + 12) for fault in faults(seed, 0.2, chosen)]


def test_designs_that_were_mended() -> None:
    """Residuals beside a huge tau, CR2 where little is left, no distance beside the others, lone rows."""
    chosen = random.Random(1)
    assert not [
        fault for seed in (1, 65, 375, 391, 676, 764, 806, 1083, 1825) for fault in faults(seed, 1.0, chosen)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, 2000, 250))
def test_two_thousand_designs_give_results_or_refusals(start: int) -> None:
    chosen = random.Random(start)
    assert not [fault for seed in range(start, start + 250) for fault in faults(seed, 0.3, chosen)]
