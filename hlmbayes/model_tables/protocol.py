"""What maketables asks of a model: its users put fits beside those of other packages with nothing of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..faces import Face
from ..inference.kept import once_per_fit
from .columns import Asked, Column, column_of

if TYPE_CHECKING:
    import pandas as pd

STATS = {
    "N": "Level-1 rows (N)",
    "n_clusters": "Level-2 units (J)",
    "deviance": "Deviance",
    "r2": "R2 conditional",
}


@once_per_fit
def _column(record: Any) -> Column:
    """Give a record's column as it is without any wishes; maketables asks for every number by itself."""
    return column_of(record, Asked())


class Tabled(Face):
    """A face whose record has a column in a table: the plug-in protocol of maketables.

    The method names are maketables' own. Columns of the table: b, se, t, p, ci95l, ci95u.
    """

    __slots__ = ()

    @property
    def __maketables_coef_table__(self) -> pd.DataFrame:
        import pandas as pd

        effects = _column(self._record).effects
        rows = {
            name: (e.estimate, e.se, e.estimate / e.se, e.p_value, e.low, e.high)
            for name, e in effects.items()
        }
        columns = ["b", "se", "t", "p", "ci95l", "ci95u"]
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
        return frame.rename_axis("Coefficient")

    @property
    def __maketables_depvar__(self) -> str:
        return _column(self._record).outcome

    def __maketables_stat__(self, key: str) -> Any:
        column = _column(self._record)
        name = STATS.get(key, key)
        value = column.facts.get(name, column.variances.get(name))
        return int(value) if value is not None and key in ("N", "n_clusters") else value

    @property
    def __maketables_stat_labels__(self) -> dict[str, str]:
        return {key: name for key, name in STATS.items() if key != "N"}

    @property
    def __maketables_default_stat_keys__(self) -> list[str]:
        column = _column(self._record)
        return [*column.variances, *(key for key, name in STATS.items() if name in column.facts)]
