"""Everything the package raises or warns about, one branch per stage.

A message says what was got, what is wanted and what to do, in the words of
the person who wrote the model or made the data.
"""

from __future__ import annotations

import warnings
from pathlib import Path

from .words import one_line


class HLMError(Exception):
    """Root of every error the package raises on purpose; its message is one line of bounded length."""

    def __init__(self, message: str = "") -> None:
        super().__init__(one_line(str(message)))


class ArgumentError(HLMError):
    """An argument is of another kind than what is asked for: names it."""


class UnknownArgumentError(ArgumentError, TypeError):
    """An argument that a function has not, or misses: says which there are."""


class DataError(HLMError):
    """The data cannot be used as asked: names the column or the ids."""


class EquationError(HLMError):
    """The model's equations are wrong: names the line and the symbol."""


class CommandFileError(HLMError):
    """An HLM command file or MDM template is wrong: names the file and the line."""


class EstimationError(HLMError):
    """The model cannot be estimated from these data: names the reason."""


class HypothesisError(HLMError):
    """A test or an interval cannot be had as asked: names the reason."""


class SamplingError(HLMError):
    """The Bayesian engine cannot do what was asked (priors, sampler, stored posterior)."""


class OutputError(HLMError):
    """A residual file or a figure cannot be made as asked: names the variable, the effect or the folder."""


class NotHereError(HLMError, AttributeError):
    """What another kind of fit or posterior has, asked of one that has not: says which has it."""


class HLMWarning(UserWarning):
    """A result is usable, but something about it should be known first."""


def warn(message: str) -> None:
    """Issue an `HLMWarning` at the line outside the package that led to it."""
    warnings.warn(message, HLMWarning, skip_file_prefixes=(str(Path(__file__).parent),))
