"""The residual files as data frames, with HLM's names and a label for every variable.

HLM 6's names have at most eight characters: a prefix (eb, ol, fv, ec) and the first six letters of the
level-1 variable, INTRCPT1 being "intrcp"; posterior variances are pv (of u) and pvc (of the coefficients) and
the subscripts of tau. HLM 7 has the whole name after the prefix, capitals at level 2, and PV0_0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arguments import hlm_version, one_or_several
from ..data.columns import find_column, suggest
from ..errors import OutputError
from ..estimation.estimates import Estimates
from ..estimation.point import Point
from ..words import composed, unique_name
from .quantities import coefficient_variances, data_of, row_residuals, unit_residuals

if TYPE_CHECKING:
    import pandas as pd

    from ..hglm.estimates import GeneralizedEstimates
    from ..hglm.pql import Predicted

ID = "L2ID"  # HLM's name of the id
SUMMARIES = {
    "nj": "Number of level-1 records",
    "chipct": "Expected chi-square order statistic of mdist",
    "mdist": "Mahalanobis distance of the EB residuals",
    "lntotvar": "ln of the total s.d. in the unit",
    "olsrsvar": "ln of the residual s.d., unit's own OLS",
    "mdrsvar": "ln of the residual s.d., fixed-effects model",
}


@dataclass(frozen=True, slots=True)
class Spelling:
    """How an HLM names the variables of a level-2 residual file."""

    intercept: str = "intrcp"
    letters: int = 6  # of a variable's name
    between: str = ""  # the subscripts of tau
    capitals: bool = False

    def of(self, name: str) -> str:
        """Give a name in the case it has."""
        return name.upper() if self.capitals else name.lower()


type Framed = Point | GeneralizedEstimates | Predicted
PREFIXES = {"eb": "EB residual", "ol": "OLS residual", "fv": "Fitted value", "ec": "EB coefficient"}
SPELLINGS = {"6": Spelling(), "7": Spelling("INTRCPT1", 8, "_", True)}


def residuals(fit: Estimates, level: int, extra: str | Sequence[str] = (), hlm: str = "6") -> pd.DataFrame:
    """Return the level-2 or the level-1 residual file.

    Parameters
    ----------
    fit : Estimates
    level : 1 or 2
    extra : str or sequence of str
        Variables to add, by name in any case: level-2 variables, and at level 1 level-1 variables too.
        "all" adds all of that level.
    hlm : "6" or "7"
        Whose names the variables have.

    Returns
    -------
    DataFrame
        ``attrs["labels"]`` holds the variable labels. The first column is L2ID, beside it the id by its own
        name. Level 2: one row a unit. Level 1: one row for each record analysed, indexed by its position in
        the data.

    Raises
    ------
    OutputError
        An unknown level, variable or HLM; no random coefficient; level 1 of a fit made from moments.
    """
    check_level(level)
    names = one_or_several(extra) if isinstance(extra, Iterable) else (extra,)
    odd = [name for name in names if not isinstance(name, str)]
    if odd:
        raise OutputError(f"extra= wants names of variables, got {odd[0]!r}")
    spelling = SPELLINGS[hlm_version(hlm, OutputError)]
    return level2_frame(fit, names, spelling) if level == 2 else level1_frame(fit, names)


def check_level(level: Any) -> None:
    """Raise OutputError for another level than 1 and 2."""
    if isinstance(level, bool) or level not in (1, 2):
        raise OutputError(f"residuals exist at level 1 and level 2, got level={level!r}")


def level2_frame(
    fit: Estimates, extra: Sequence[str] = (), spelling: Spelling = SPELLINGS["6"]
) -> pd.DataFrame:
    """Return the level-2 residual file, see `residuals`; the columns are in HLM's order."""
    values, design = unit_residuals(fit), fit.design
    columns = Columns(fit)
    columns.add_ids(design.moments.id_name, design.unit_ids)
    for name, label in SUMMARIES.items():
        columns.add(spelling.of(name), getattr(values, "n" if name == "nj" else name), label)
    b = values.coefficients(design.random)
    arrays = {"eb": values.eb, "ol": values.ols, "fv": values.fitted, "ec": b}
    add_coefficients(columns, fit, spelling, arrays)
    titles = [coefficient_title(fit, int(p)) for p in design.random]
    add_variances(columns, fit, spelling, "pv", fit.effect_names, values.pv)
    add_variances(columns, fit, spelling, "pvc", titles, coefficient_variances(fit))
    level2_extra(columns, fit, extra, spelling)
    return columns.frame()


def add_coefficients(
    columns: Columns, fit: Framed, spelling: Spelling, arrays: Mapping[str, np.ndarray]
) -> None:
    """Add what there is of the units' coefficients, by prefix: a column a coefficient, or a random one."""
    random, everything = fit.design.random.tolist(), range(len(fit.model.coefficients))
    for prefix, array in arrays.items():
        for k, p in enumerate(random if prefix in ("eb", "ol") else everything):
            name = spelling.of(prefix + stem(fit, p, spelling))
            columns.add(name, array[:, k], f"{PREFIXES[prefix]}: {coefficient_title(fit, p)}")


def level2_extra(columns: Columns, fit: Framed, extra: Sequence[str], spelling: Spelling) -> None:
    """Add the model's level-2 variables, and extra ones."""
    for name in wanted_names(fit.model.level2_variables, extra, level2_names(fit)):
        columns.add(spelling.of(name), level2_values(fit, name), columns.label(name))


def add_variances(
    columns: Columns, fit: Framed, spelling: Spelling, prefix: str, of: Sequence[str], values: np.ndarray
) -> None:
    """Add the lower triangles of (J, q, q) variances, a column an element."""
    random = [fit.model.coefficients[p] for p in fit.design.random]
    # where each category has equations the subscripts are the places in tau
    index = [k if c.category else c.index for k, c in enumerate(random)]
    for a in range(len(index)):
        for c in range(a + 1):
            kind = "variance" if a == c else "covariance"
            label = f"Posterior {kind}: " + " and ".join(of[k] for k in sorted({a, c}))
            name = f"{prefix}{index[a]}{spelling.between}{index[c]}"
            columns.add(spelling.of(name), values[:, a, c], label)


def level1_frame(fit: Estimates, extra: Sequence[str] = ()) -> pd.DataFrame:
    """Return the level-1 residual file, see `residuals`."""
    data, rows = data_of(fit), row_residuals(fit)
    columns = Columns(fit)
    columns.add_ids(data.id_name, fit.design.unit_ids[rows.unit])
    columns.add("l1resid", rows.residual, "Level-1 residual: observed - fitted")
    columns.add("fitval", rows.fitted, "Fitted value with the EB coefficients")
    columns.add("sigma", rows.sigma, "Level-1 standard deviation")
    level1_extra(columns, fit, extra, rows.row, rows.unit)
    return columns.frame(rows.row, "row")


def level1_extra(
    columns: Columns, fit: Framed, extra: Sequence[str], row: np.ndarray, unit: np.ndarray
) -> None:
    """Add the model's variables, and extra ones, of either level to rows: places in the data and units."""
    data = data_of(fit)
    level1 = {name.lower() for name in data.level1}
    known = [*data.level1, *(name for name in level2_names(fit) if name.lower() not in level1)]
    inside = [*fit.model.level1_variables, *fit.model.level2_variables]
    for name in wanted_names(inside, extra, known):
        found = find_column(name, data.level1, data.sources[0])
        values = level2_values(fit, name)[unit] if found is None else data.level1[found][row]
        columns.add(name.lower(), values, columns.label(name))
    for name in fit.model.level2_variables if not data.one_source else ():
        if name.lower() in level1:  # a level-1 variable has the same name
            columns.add(name.lower(), level2_values(fit, name)[unit], f"{name} of level 2")


class Columns:
    """Columns under unique names of at most eight letters where they are HLM's, with their labels."""

    def __init__(self, fit: Framed) -> None:
        self.labels_of_data = {} if fit.data is None else fit.data.labels
        self.columns: dict[str, np.ndarray] = {}
        self.labels: dict[str, str] = {}

    def label(self, name: str) -> str:
        """Give the label of a variable, or its name."""
        return self.labels_of_data.get(name.lower()) or name

    def add_ids(self, name: str, ids: np.ndarray) -> None:
        """Add the id under HLM's name, and its own beside it."""
        self.add(ID, ids, "Level-2 id" if name.upper() == ID else f"Level-2 id: {self.label(name)}")
        if name.upper() != ID:
            self.add(name, ids, self.label(name))

    def add(self, name: str, values: np.ndarray, label: str) -> None:
        """Add a column, its name changed where another has it."""
        name = unique_name(name, self.columns)
        self.columns[name], self.labels[name] = values, label

    def frame(self, index: np.ndarray | None = None, name: str | None = None) -> pd.DataFrame:
        """Tabulate the columns."""
        import pandas as pd

        frame = pd.DataFrame(self.columns, index=None if index is None else pd.Index(index, name=name))
        frame.attrs["labels"] = self.labels
        return frame


def stem(fit: Framed, p: int, spelling: Spelling) -> str:
    """Return what names of level-1 coefficient p end in: "intrcp", or the letters of its variable."""
    c, places = fit.model.coefficients[p], list(dict.fromkeys(c.category for c in fit.model.coefficients))
    name = spelling.intercept if c.predictor.variable is None else re.sub(r"[][*]", "", c.predictor.variable)
    if not c.category:
        return name[: spelling.letters]
    return f"{name[: spelling.letters - 1]}{spelling.between}{places.index(c.category) + 1}"


def coefficient_title(fit: Framed, p: int) -> str:
    """Return what HLM calls level-1 coefficient p: "INTRCPT1" or "SES slope"."""
    c = fit.model.coefficients[p]
    name = "INTRCPT1" if c.predictor.variable is None else f"{c.predictor.variable.upper()} slope"
    return f"{name}[{c.category}]" if c.category else name


def wanted_names(inside: Iterable[str], extra: Sequence[str], known: Sequence[str]) -> list[str]:
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


def level2_names(fit: Framed) -> list[str]:
    """Return the names of the level-2 variables at hand, those of one-source data included."""
    data = fit.data
    if data is None:
        return list(fit.design.moments.level2)
    if not data.one_source:
        return list(data.level2)
    numbers = (name for name in data.level1 if data.level1[name].dtype.kind in "biuf")
    return [name for name in numbers if data.is_level2(name)]


def level2_values(fit: Framed, name: str) -> np.ndarray:
    """Return a level-2 variable, (J,), in the order of the fit's units; missing values stay missing."""
    moments, data = fit.design.moments, fit.data
    for found, values in moments.level2.items():
        if found.lower() == name.lower():
            return np.asarray(values)
    known = level2_names(fit)
    spelled = find_column(name, known, "the data")
    if data is None or spelled is None:
        raise OutputError(f"there is no level-2 variable {name!r}. {suggest(name, known) if known else ''}")
    values = data.level2_with_missing(name) if data.one_source else np.asarray(data.level2[spelled])
    return values[np.searchsorted(data.unit_ids, fit.design.unit_ids)]
