"""The residual files as data frames, with HLM's names and a label for every variable.

HLM's names have at most eight characters: a prefix (eb, ol, fv, ec) and the first six letters of the
level-1 variable, INTRCPT1 being "intrcp"; posterior variances are pv and the subscripts of tau.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arguments import one_or_several
from ..data.columns import find_column, suggest
from ..errors import DataError, OutputError
from ..estimation.estimates import Estimates
from ..estimation.point import Point
from ..words import composed, unique_name
from .quantities import data_of, row_residuals, unit_residuals

if TYPE_CHECKING:
    import pandas as pd

LONGEST = 8
SUMMARIES = {
    "nj": "Number of level-1 records",
    "chipct": "Expected chi-square order statistic of mdist",
    "mdist": "Mahalanobis distance of the EB residuals",
    "lntotvar": "ln of the total s.d. in the unit",
    "olsrsvar": "ln of the residual s.d., unit's own OLS",
    "mdrsvar": "ln of the residual s.d., fixed-effects model",
}


def residuals(fit: Estimates, level: int, extra: str | Sequence[str] = ()) -> pd.DataFrame:
    """Return the level-2 or the level-1 residual file.

    Parameters
    ----------
    fit : Estimates
    level : 1 or 2
    extra : str or sequence of str
        Variables to add, by name in any case: level-2 variables, and at level 1 level-1 variables too.
        "all" adds all of that level.

    Returns
    -------
    DataFrame
        ``attrs["labels"]`` holds the variable labels. Level 2: one row a unit. Level 1: one row for
        each record analysed, indexed by its position in the data.

    Raises
    ------
    OutputError
        An unknown level or variable; no random coefficient; level 1 of a fit made from moments.
    """
    if isinstance(level, bool) or level not in (1, 2):
        raise OutputError(f"residuals exist at level 1 and level 2, got level={level!r}")
    names = one_or_several(extra) if isinstance(extra, Iterable) else (extra,)
    odd = [name for name in names if not isinstance(name, str)]
    if odd:
        raise OutputError(f"extra= wants names of variables, got {odd[0]!r}")
    return level2_frame(fit, names) if level == 2 else level1_frame(fit, names)


def level2_frame(fit: Estimates, extra: Sequence[str] = ()) -> pd.DataFrame:
    """Return the level-2 residual file, see `residuals`; the columns are in HLM's order."""
    values, design = unit_residuals(fit), fit.design
    columns = _Columns(fit)
    columns.add(design.moments.id_name, design.unit_ids, columns.label(design.moments.id_name))
    for name, label in SUMMARIES.items():
        columns.add(name, getattr(values, "n" if name == "nj" else name), label)
    random = [int(r) for r in design.random]
    everything = range(len(fit.model.coefficients))
    b = values.coefficients(design.random)
    for prefix, what, array, members in (
        ("eb", "EB residual", values.eb, random),
        ("ol", "OLS residual", values.ols, random),
        ("fv", "Fitted value", values.fitted, everything),
        ("ec", "EB coefficient", b, everything),
    ):
        for k, p in enumerate(members):
            columns.add(prefix + stem(fit, p), array[:, k], f"{what}: {coefficient_title(fit, p)}")
    index = [fit.model.coefficients[p].index for p in random]
    for a in range(len(random)):
        for c in range(a + 1):
            kind = "variance" if a == c else "covariance"
            label = f"Posterior {kind}: " + " and ".join(fit.effect_names[k] for k in sorted({a, c}))
            columns.add(f"pv{index[a]}{index[c]}", values.pv[:, a, c], label)
    for name in _wanted(fit.model.level2_variables, extra, level2_names(fit)):
        columns.add(name.lower(), level2_values(fit, name), columns.label(name))
    return columns.frame()


def level1_frame(fit: Estimates, extra: Sequence[str] = ()) -> pd.DataFrame:
    """Return the level-1 residual file, see `residuals`."""
    data, rows = data_of(fit), row_residuals(fit)
    columns = _Columns(fit)
    columns.add(data.id_name, fit.design.unit_ids[rows.unit], columns.label(data.id_name))
    columns.add("l1resid", rows.residual, "Level-1 residual: observed - fitted")
    columns.add("fitval", rows.fitted, "Fitted value with the EB coefficients")
    columns.add("sigma", rows.sigma, "Level-1 standard deviation")
    level1 = {name.lower() for name in data.level1}
    known = [*data.level1, *(name for name in level2_names(fit) if name.lower() not in level1)]
    inside = [*fit.model.level1_variables, *fit.model.level2_variables]
    for name in _wanted(inside, extra, known):
        found = find_column(name, data.level1, data.sources[0])
        values = level2_values(fit, name)[rows.unit] if found is None else data.level1[found][rows.row]
        columns.add(name.lower(), values, columns.label(name))
    for name in fit.model.level2_variables if not data.one_source else ():
        if name.lower() in level1:  # a level-1 variable has the same name
            columns.add(name.lower(), level2_values(fit, name)[rows.unit], f"{name} of level 2")
    return columns.frame(rows.row, "row")


class _Columns:
    """Columns under unique names of at most eight letters where they are HLM's, with their labels."""

    def __init__(self, fit: Estimates) -> None:
        self.labels_of_data = {} if fit.data is None else fit.data.labels
        self.columns: dict[str, np.ndarray] = {}
        self.labels: dict[str, str] = {}

    def label(self, name: str) -> str:
        return self.labels_of_data.get(name.lower()) or name

    def add(self, name: str, values: np.ndarray, label: str) -> None:
        name = unique_name(name, self.columns)
        self.columns[name], self.labels[name] = values, label

    def frame(self, index: np.ndarray | None = None, name: str | None = None) -> pd.DataFrame:
        import pandas as pd

        frame = pd.DataFrame(self.columns, index=None if index is None else pd.Index(index, name=name))
        frame.attrs["labels"] = self.labels
        return frame


def stem(fit: Estimates, p: int) -> str:
    """Return six letters for level-1 coefficient p: "intrcp", or of its variable."""
    variable = fit.model.coefficients[p].predictor.variable
    return "intrcp" if variable is None else variable.lower()[: LONGEST - 2]


def coefficient_title(fit: Estimates, p: int) -> str:
    """Return what HLM calls level-1 coefficient p: "INTRCPT1" or "SES slope"."""
    variable = fit.model.coefficients[p].predictor.variable
    return "INTRCPT1" if variable is None else f"{variable.upper()} slope"


def _wanted(inside: Iterable[str], extra: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the model's variables, then the extra ones, each once, as the data spell them."""
    asked = known if [name.lower() for name in extra] == ["all"] and "all" not in known else extra
    asked, spelled = [*map(composed, asked)], {name.lower(): name for name in known}
    for name in asked:
        if name.lower() not in spelled:
            hint = suggest(name, known) if known else ""
            raise OutputError(f"the residual file cannot have {name!r}: no such variable. {hint}".strip())
    names: dict[str, str] = {}
    for name in [*inside, *asked]:
        names.setdefault(name.lower(), name if name in known else spelled.get(name.lower(), name))
    return list(names.values())


def level2_names(fit: Point) -> list[str]:
    """Return the names of the level-2 variables at hand, those of one-source data included."""
    data = fit.data
    if data is None:
        return list(fit.design.moments.level2)
    if not data.one_source:
        return list(data.level2)
    return [name for name in data.level1 if _is_level2(data, name)]


def _is_level2(data: Any, name: str) -> bool:
    try:
        return bool(data.is_level2(name))
    except DataError:  # text: it has no place in a model, nor here
        return False


def level2_values(fit: Point, name: str) -> np.ndarray:
    """Return a level-2 variable, (J,), in the order of the fit's units; missing values stay missing."""
    moments, data = fit.design.moments, fit.data
    for found, values in moments.level2.items():
        if found.lower() == name.lower():
            return np.asarray(values)
    known = level2_names(fit)
    spelled = find_column(name, known, "the data")
    if data is None or spelled is None:
        raise OutputError(f"there is no level-2 variable {name!r}. {suggest(name, known) if known else ''}")
    values = data.level2_column(name) if data.one_source else np.asarray(data.level2[spelled])
    return values[np.searchsorted(data.unit_ids, fit.design.unit_ids)]
