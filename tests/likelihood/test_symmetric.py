"""LAPACK without NumPy around it gives what NumPy gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlmbayes.likelihood.symmetric import all_above, eigh, eigh_each, from_eigen, solve_each


@given(st.integers(0, 6), st.integers(0, 1000))
def test_eigenvalues_and_vectors_are_numpys(size: int, seed: int) -> None:
    a = np.random.default_rng(seed).standard_normal((size, size))
    a = a + a.T
    values, vectors = eigh(a)
    np.testing.assert_allclose(values, np.linalg.eigh(a)[0], atol=1e-12)
    np.testing.assert_allclose(vectors @ np.diag(values) @ vectors.T, a, atol=1e-12)


def test_only_the_lower_triangle_counts() -> None:
    np.testing.assert_allclose(eigh(np.array([[1.0, 99.0], [0.0, 2.0]]))[0], [1.0, 2.0])


def test_what_is_not_a_number_has_no_eigenvalues() -> None:
    with pytest.raises(np.linalg.LinAlgError):
        eigh(np.full((3, 3), np.nan))


@given(st.integers(1, 6), st.integers(0, 1000), st.floats(-3, 3))
def test_a_bound_is_below_all_eigenvalues_or_not(size: int, seed: int, bound: float) -> None:
    a = np.random.default_rng(seed).standard_normal((size, size))
    a = a + a.T
    before, least = a.copy(), np.linalg.eigvalsh(a)[0]
    if abs(least - bound) > 1e-9:
        assert all_above(a, bound) == (least > bound)
    np.testing.assert_array_equal(a, before)


def test_a_matrix_without_rows_is_above_everything() -> None:
    assert all_above(np.zeros((0, 0)), 1e9)


@pytest.mark.parametrize("q", [1, 2, 3])
def test_many_matrices_are_solved_and_turned_as_lapack_does(q):
    rng = np.random.default_rng(q)
    root = rng.normal(size=(40, q, q)) * np.array([1.0, 1e-3, 10.0])[:q]
    a, b = root @ root.swapaxes(1, 2) + np.eye(q), rng.normal(size=(40, q))
    a[0] = np.eye(q)
    np.testing.assert_allclose(solve_each(a, b), np.linalg.solve(a, b[:, :, None])[:, :, 0], rtol=1e-11)
    values, vectors = eigh_each(a)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(a), rtol=1e-11)
    np.testing.assert_allclose(
        vectors.swapaxes(1, 2) @ vectors, np.broadcast_to(np.eye(q), a.shape), atol=1e-14
    )
    np.testing.assert_allclose(from_eigen(values, vectors), a, rtol=1e-11, atol=1e-11)
