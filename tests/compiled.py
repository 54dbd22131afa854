"""The compiled density, called from Python."""

from __future__ import annotations

from ctypes import POINTER, c_double

import numpy as np

from hlmbayes.density.kernel import density


def evaluate(zeta: np.ndarray, tables: np.ndarray) -> tuple[float, np.ndarray]:
    """Give the log density, up to a constant, and its gradient (d,) at zeta (d,)."""
    point, gradient, value = np.array(zeta, dtype=float), np.empty(len(zeta)), np.empty(1)
    pointers = (x.ctypes.data_as(POINTER(c_double)) for x in (point, gradient, value))
    density.ctypes(len(point), *pointers, tables.ctypes.data)
    return float(value[0]), gradient
