"""HLM's files of covariance matrices: gamvc.dat, gamvcr.dat, tauvc.dat (printvariance-covariance:y).

Each has the estimates on the first line, then the covariance matrix row by row, 60 numbers a line at most.
That much is known of HLM's; how wide its numbers are is not: here they have ten digits and blanks between.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import EstimationError
from ..estimation.estimates import Estimates
from ..inference.component_errors import components_covariance
from ..inference.covariances import CR0
from ..laws.log_linear import EstimatedLogLinear
from ..likelihood.pattern import elements

A_LINE = 60  # numbers
MOST = 2000  # characters of a line


def gammas(fit: Estimates) -> str:
    """Give the fixed effects and their model-based covariance matrix."""
    return _text(fit.gamma, fit.vcov)


def gammas_robust(fit: Estimates) -> str:
    """Give the fixed effects and their robust covariance matrix; raise HLMError where there is none."""
    free = fit.design.free
    return _text(fit.gamma, CR0().matrix(fit)[np.ix_(free, free)])


def taus(fit: Estimates) -> str:
    """Give tau's free elements, the lower triangle by rows, and their covariance matrix by the information.

    Raises
    ------
    EstimationError
        No random effects, or tau on its boundary, where there is none.
    """
    q = fit.design.n_random
    if not q or fit.boundary or isinstance(fit.law, EstimatedLogLinear):
        why = "the model has no random effects" if not q else "sigma2 is heterogeneous, or tau is singular"
        raise EstimationError(f"there is no covariance matrix of tau: {why}")
    return _text(fit.components.tau[elements(fit.design.pattern)], components_covariance(fit)[:-1, :-1])


MATRIX_FILES: dict[str, Callable[[Estimates], str]] = {
    "gamvc.dat": gammas, "gamvcr.dat": gammas_robust, "tauvc.dat": taus,
}  # fmt: skip


def _text(estimates: np.ndarray, covariance: np.ndarray) -> str:
    """Lay out estimates, (k,), and their covariance matrix, (k, k)."""
    lines = []
    for row in (estimates, *covariance):
        numbers = [f"{value: .9E}" for value in row]
        lines += [" ".join(numbers[k : k + A_LINE]) for k in range(0, len(numbers), A_LINE)]
    return "\n".join(lines) + "\n"


def is_matrix_file(path: Path) -> bool:
    """Tell whether a file begins with a line of numbers, as these files do."""
    try:
        with path.open(encoding="ascii") as file:
            return bool([float(word) for word in file.readline(MOST).split()])
    except (OSError, ValueError):
        return False
