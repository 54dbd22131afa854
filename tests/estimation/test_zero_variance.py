"""The words for a singular tau."""

from __future__ import annotations

import numpy as np
import pytest

from hlmbayes.estimation.prepare import prepare
from hlmbayes.estimation.zero_variance import describe_boundary
from hlmbayes.likelihood.evaluate import standardise
from tests.small import model, small


def words(name: str, root: np.ndarray) -> tuple[str, ...]:
    m = model(name)
    design = prepare(m, small(3).data()).design
    system = standardise(design)
    factor = np.linalg.solve(system.to_tau, root)
    return describe_boundary(design, system.tau_columns, factor @ factor.T)


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        ([[1.0, 0.0], [0.3, 0.5]], ()),
        ([[1.0], [0.0]], ("the variance of u1 (x slope) is estimated as zero",)),
        ([[0.0], [2.0]], ("the variance of u0 (intercept) is estimated as zero",)),
        (
            [[1.0], [-0.4]],
            (
                "a combination of u0 (intercept) and u1 (x slope) has zero variance "
                "(their correlation is estimated as 1 or -1)",
            ),
        ),
        (
            [[0.0], [0.0]],
            (
                "the variance of u0 (intercept) is estimated as zero",
                "the variance of u1 (x slope) is estimated as zero",
            ),
        ),
    ],
)
def test_two_effects(root: list[list[float]], expected: tuple[str, ...]) -> None:
    assert words("slopes", np.array(root)) == expected


def test_three_effects() -> None:
    assert words("random only", np.array([[1.0], [0.0], [0.5]])) == (
        "the variance of u1 (d slope) is estimated as zero",
        "a combination of u0 (intercept) and u2 (x slope) has zero variance "
        "(their correlation is estimated as 1 or -1)",
    )
    assert words("random only", np.array([[1.0], [0.4], [0.5]])) == (
        "2 combinations of u0 (intercept), u1 (d slope) and u2 (x slope) have zero variance",
    )
    assert words("random only", np.array([[1.0, 0.0], [0.4, 1.0], [0.5, 0.3]])) == (
        "a combination of u0 (intercept), u1 (d slope) and u2 (x slope) has zero variance",
    )
