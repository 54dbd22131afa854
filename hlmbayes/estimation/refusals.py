"""What a fit cannot be asked, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import HypothesisError

if TYPE_CHECKING:
    from .fit import Fit


def refuse_heterogeneous(fit: Fit, what: str) -> None:
    """Raise where the level-1 variance is a function of variables, so that there is no one sigma2."""
    if fit.model.log_sigma2 is not None:
        raise HypothesisError(f"{what} needs one level-1 variance; in this model it depends on variables")
