"""Levels of factors where values are asked for: what their columns are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

from ..errors import HypothesisError
from ..likelihood.design import Design
from ..naming import spelled


def at_levels(design: Design, level: int, name: str, values: Iterable[Any]) -> list[Mapping[str, float]]:
    """Give what the columns, by lower-case name, of a factor of model level 1 or 2 are at levels of it.

    None where it is no factor, or numbers are given that are not its levels.

    Raises
    ------
    HypothesisError
        Text that is none of its levels.
    """
    levels = {spelled(own): row for own, row in design.terms.at_levels(name, level).items()}
    texts = [f"{v:.15g}" if isinstance(v, Real) else str(v) for v in values]
    asked = [levels.get(spelled(text)) for text in texts]
    if levels and None in asked and any(isinstance(value, str) for value in values):
        strange, known = texts[asked.index(None)], ", ".join(design.terms.at_levels(name, level))
        raise HypothesisError(f"at= {name!r}: there is no level {strange!r}; there are {known}")
    return [row for row in asked if row is not None] if None not in asked else []
