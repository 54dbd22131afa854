"""Arrays whose entries have names: ``fit.gamma["g01"]``, ``fit.gamma["sector"]`` and ``fit.gamma[1]``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from . import notebook
from .naming import Parameter, Parameters

if TYPE_CHECKING:
    import pandas as pd


class Sentence:
    """A result that is shown, in a notebook too, as the sentence it prints as."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return notebook.shown(notebook.sentences(str(self)))

    def frame(self) -> pd.DataFrame:
        """Give the attributes as a table of one row."""
        import pandas as pd

        return pd.DataFrame([{field.name: getattr(self, field.name) for field in fields(self)}])  # type: ignore[arg-type]


NOTHING = Parameters("parameter", ())


class NamedArray(np.ndarray):
    """A vector, or a square matrix, whose axes carry one set of names.

    Indexing with names (``a["g01"]``, ``a["sector"]``, ``tau["b0", "b1"]``) gives plain floats; every
    other operation is NumPy's and its results are ordinary arrays or floats.

    Parameters
    ----------
    values : array_like, shape (k,) or (k, k)
    names : Parameters, or sequence of str, length k
    """

    parameters: Parameters

    def __new__(cls, values: Any, names: Parameters | Sequence[str]) -> NamedArray:
        """Copy ``values`` so that a result cannot be changed through its source."""
        if not isinstance(names, Parameters):
            names = Parameters("parameter", tuple(Parameter(name, "") for name in names))
        array = np.array(values, dtype=float).view(cls)
        if any(length != len(names.each) for length in array.shape):
            raise ValueError(f"got values of shape {array.shape} for {len(names.each)} names")
        array.parameters = names
        array.flags.writeable = False
        return array

    def __array_finalize__(self, source: Any) -> None:
        self.parameters = getattr(source, "parameters", NOTHING)

    @property
    def names(self) -> tuple[str, ...]:
        """The codes of the entries, in order."""
        return self.parameters.codes

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            key = self._position(key)
        elif isinstance(key, tuple):
            key = tuple(self._position(k) if isinstance(k, str) else k for k in key)
        result = super().__getitem__(key)
        return np.asarray(result) if isinstance(result, np.ndarray) else result

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        """Results of arithmetic are plain: their entries need not be what the names say."""
        plain = np.asarray(array)
        return plain[()] if return_scalar else plain

    def __repr__(self) -> str:
        values = np.asarray(self)
        if values.shape != (len(self.names),) * values.ndim or not values.ndim:
            return repr(values)  # a view that the names do not fit
        shown = self.parameters.shown(self.names)
        if values.ndim == 1:
            return ", ".join(f"{name} {v:.8g}" for name, v in zip(shown, values.tolist(), strict=True))
        rows = zip(shown, values.tolist(), strict=True)
        cells = [["", *self.names], *([n, *(f"{v:.8g}" for v in r)] for n, r in rows)]
        first, *widths = (max(map(len, column)) for column in zip(*cells, strict=True))
        lines = ([n.ljust(first), *map(str.rjust, row, widths)] for n, *row in cells)
        return "\n".join("  ".join(line) for line in lines)

    __str__ = __repr__

    def _position(self, name: str) -> int:
        return self.parameters.place(name, KeyError)

    def keys(self) -> tuple[str, ...]:
        """Give the codes in order."""
        return self.names

    def items(self) -> Iterator[tuple[str, Any]]:
        """Pair each code with its value (a row, for a matrix)."""
        return zip(self.names, np.asarray(self), strict=True)

    def __reduce__(self) -> tuple[Any, ...]:
        return (NamedArray, (np.asarray(self), self.parameters))
