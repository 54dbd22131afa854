"""Checks of what callers give: in words, with what was got."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from math import isfinite
from numbers import Integral, Real
from typing import Any

from .errors import HLMError, HypothesisError

HLM_VERSIONS = ("6", "7")


def one_or_several(names: str | Sequence[str]) -> tuple[str, ...]:
    """Give names as a tuple; one name may stand alone."""
    return tuple(names) if isinstance(names, Iterable) and not isinstance(names, str) else (names,)


def name_or_none(what: str, got: Any, error: type[HLMError]) -> str | None:
    """Give a name, or None where there is none; raise ``error`` where it is neither."""
    if got is not None and (not isinstance(got, str) or not got.strip()):
        raise error(f"{what} wants the name of a variable, got {got!r}")
    return got


def whole(what: str, got: Any, least: int, error: type[HLMError]) -> int:
    """Give a whole number of at least ``least`` as an int; raise ``error`` where it is none."""
    if isinstance(got, bool) or not isinstance(got, Integral) or got < least:
        raise error(f"{what} must be a whole number of at least {least}, got {got!r}")
    return int(got)


def seed_or_none(got: Any, error: type[HLMError]) -> int | None:
    """Give a seed, or None for another one every time; raise ``error`` where it is neither."""
    return None if got is None else whole("seed", got, 0, error)


def seed_or_new(got: Any, error: type[HLMError]) -> int:
    """Give a seed, a new one where there is None: what is drawn with it can be drawn again."""
    return int.from_bytes(os.urandom(4)) if got is None else whole("seed", got, 0, error)


def not_negative(what: str, got: Any, error: type[HLMError]) -> float:
    """Give a finite number of at least 0 as a float; raise ``error`` where it is none."""
    if isinstance(got, bool) or not isinstance(got, Real) or not isfinite(got) or got < 0:
        raise error(f"{what} must be a number of at least 0, got {got!r}")
    return float(got)


def hlm_version(got: Any, error: type[HLMError]) -> str:
    """Give the version of HLM whose rules, words and names are wanted, "6" or "7"; else raise ``error``."""
    if isinstance(got, bool) or str(got) not in HLM_VERSIONS:
        raise error(f"hlm={got!r} is not known: wanted '6' or '7' (HLM 8 has those of 7)")
    return str(got)


def check_prob(prob: float) -> None:
    """Raise unless a probability is a share between 0 and 1."""
    if not isinstance(prob, Real) or not 0 < prob < 1:
        raise HypothesisError(f"prob={prob!r}: a share between 0 and 1 is wanted, for example 0.95")
