"""What is noticed when tables are joined: ids that may be no units, and imputed data sets in one table."""

from __future__ import annotations

import re
from decimal import Decimal

import numpy as np

from ..errors import warn
from ..words import some
from .table import NUMBER, Table

NUMBERED_BY = ("imputation_", "_imputation_", "_mi_m", ".imp")  # by SPSS, SAS, Stata and mice
A_SUM = re.compile(
    r"(grand |sub)?total|sum|mean|average|all|summe|gesamt|mittelwert|somme|moyenne|media|suma", re.IGNORECASE
)
FEW = 3  # ids that are no numbers beside many that are


def same_numbers(source: str, ids: np.ndarray) -> tuple[str, ...]:
    """Say which ids, (J,), are the same number, but written differently: they are different units."""
    same: dict[Decimal, list[str]] = {}
    for text in ids.tolist() if ids.dtype.kind == "O" else ():
        if NUMBER.fullmatch(text):
            same.setdefault(Decimal(text), []).append(text)
    pairs = [" and ".join(sorted(texts)) for texts in same.values() if len(texts) > 1]
    what = f"ids of {source} that are the same number, but written differently, are different units"
    return (f"{what}: {some(pairs, 3)}",) if pairs else ()


def warn_of_sums(source: str, ids: np.ndarray, rows: np.ndarray) -> None:
    """Warn of ids, (J,), that belong to a sum or a remark below the data; ``rows`` (N,) has rows' units."""
    if ids.dtype.kind != "O":
        return
    named = [place for place, text in enumerate(ids) if A_SUM.fullmatch(text)]
    words = [place for place, text in enumerate(ids) if not text[0].isdigit() and not NUMBER.fullmatch(text)]
    odd = words if len(words) <= min(FEW, (len(ids) - len(words)) // 2) else named
    odd = [place for place in odd if np.count_nonzero(rows == place) == 1]
    if odd:
        warn(
            f"{some((repr(str(ids[place])) for place in odd), FEW)} in {source} is taken for a unit of one "
            "row. If that row is a sum, a mean or a remark, delete it."
        )


def warn_of_imputed(table: Table) -> None:
    """Warn where one column numbers imputed data sets: every row stands in the table once for each."""
    for name in table.columns:
        if name.lower() in NUMBERED_BY and (n := len(set(table.columns[name].tolist()))) > 1:
            warn(
                f"{name} of {table.name} numbers {n} imputed data sets, and their rows are taken for "
                f"different ones. Read them with hlm.read_imputed(..., by={name!r}) (--imputed-by {name})."
            )
