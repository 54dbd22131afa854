"""Outcomes of categories: which are asked for, the columns of their predictors, their probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..data.rows import NOTHING
from ..equations.categories import category_label
from ..errors import HypothesisError
from ..hglm.averages import between
from ..hglm.category_averages import probabilities
from ..laws.multinomial import Multinomial
from ..laws.ordinal import Ordinal
from ..laws.outcomes import Outcome
from ..likelihood.design import Design
from ..naming import spelled


def by_category(design: Design, law: Outcome, x: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give what fixed effects (n, K, F) and random ones (n, K, q) multiply in each of K linear predictors.

    ``x`` (n, F) and ``z`` (n, q) are what each multiplies in its own; without categories K = 1.
    """
    if not isinstance(law, Multinomial):
        return x[:, None], z[:, None]
    each = np.array(law.labels[:-1])[:, None]
    fixed = of_gammas(design)[design.first_of_free]
    random = np.array([design.model.coefficients[r].category for r in design.random], dtype=str)
    return x[:, None] * (each == fixed), z[:, None] * (each == random)


def outcomes(law: Outcome, eta: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """Give expected outcomes (n, 1, ...), or probabilities of categories (n, M, ...), of predictors.

    ``eta`` (n, K, ...) are linear predictors, ``cuts`` (T, ...) those of ratings.
    """
    if isinstance(law, Multinomial):
        return probabilities(law, eta)
    if not isinstance(law, Ordinal):
        return law.inverse_link(eta)
    first = np.zeros((1, *cuts.shape[1:]))
    return between(law.of_categories.inverse_link(eta + np.concatenate([first, cuts])), 1.0)


def of_gammas(design: Design) -> np.ndarray:
    """Give the category of every fixed effect, (n_gamma,)."""
    return np.array([c.category for c in design.model.coefficients for _ in c.gammas], dtype=str)


def shown(law: Outcome, scale: str) -> tuple[str, ...]:
    """Give the categories that have a probability, or a linear predictor; none where there is one of all."""
    if scale == "response":
        return law.labels
    return law.labels[:-1] if isinstance(law, Multinomial) else ()


def asked_categories(
    law: Outcome, category: Any, scale: str, named: Mapping[Any, str] = NOTHING
) -> list[int]:
    """Give the places of the categories that are asked for, [0] where there are none.

    ``named`` are the labels that values of the outcome have.

    Raises
    ------
    HypothesisError
        A category that there is not, or one asked of what has none.
    """
    labels = shown(law, scale)
    if category is None:
        return list(range(max(1, len(labels))))
    if not labels:
        what = "the linear predictor of ratings is" if law.labels else "the outcome has no categories: it is"
        raise HypothesisError(f"{what} one number, and category= (--category) has no meaning: leave it out")
    text = category if isinstance(category, str) else _category_text(category)
    if text not in law.labels:
        meant = [value for value, label in named.items() if spelled(str(label)) == spelled(text)]
        text = _category_text(meant[0]) if len(meant) == 1 else text
    if text in law.labels and text not in labels:
        raise HypothesisError(f"{text} is the reference, whose linear predictor is 0: name another one")
    if text not in labels:
        raise HypothesisError(f"category= (--category) is one of {', '.join(labels)}; got {category!r}")
    return [labels.index(text)]


def _category_text(value: Any) -> str:
    number = isinstance(value, int | float | np.number) and np.isfinite(value)
    return category_label(float(value)) if number else str(value)


def each_named(law: Outcome, scale: str, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Give the parts (n,) of columns that are (n, K): name[1], name[2], ... where there are categories."""
    labels = shown(law, scale)
    return {
        f"{name}[{m}]" if labels else name: values[:, k]
        for k, m in enumerate(labels or ("",))
        for name, values in columns.items()
    }
