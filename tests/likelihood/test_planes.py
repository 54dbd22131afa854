"""Ways to compute the same thing: closed forms and Cholesky, blocks of units, tables kept or made again."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from hlmbayes import Model
from hlmbayes.estimation.prepare import prepare
from hlmbayes.likelihood import evaluate as likelihood
from hlmbayes.likelihood import planes, system
from hlmbayes.likelihood.evaluate import Evaluation, evaluate, standardise
from tests.dense import x_blocks
from tests.small import MODELS, model, small


def made(name: str) -> system.System:
    m = model(name)
    return prepare(m, small(3, n_units=30).data()).system


def root(q: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    return np.tril(rng.normal(size=(q, q))) + np.eye(q)


def reduced(s: system.System, factor: np.ndarray) -> np.ndarray:
    """Z'V^-1[D e] of every unit, (q, p + 1, J), by a linear system each: (I + Z'Z Theta)^-1 Z'[D e]."""
    products = np.einsum("caj,cbj->jab", s.root[:, : s.n_random], s.root)
    zz = products[:, :, : s.n_random]
    return np.linalg.solve(np.eye(s.n_random) + zz @ factor @ factor.T, products).transpose(1, 2, 0)


def assert_same(a: Evaluation, b: Evaluation, rtol: float = 1e-10) -> None:
    for field in fields(Evaluation):
        x, y = getattr(a, field.name), getattr(b, field.name)
        np.testing.assert_allclose(x, y, rtol=rtol, atol=1e-10 * np.max(np.abs(y), initial=1.0))


@pytest.mark.parametrize("name", list(MODELS))
def test_sums_of_products_equal_differences(name: str) -> None:
    s = made(name)
    factor = root(s.n_random)
    weighed = likelihood.weigh(s, factor)
    solved, q = reduced(s, factor), s.n_random
    zz = np.einsum("caj,cbj->jab", s.root[:, :q], s.root[:, :q])
    logdet = np.linalg.slogdet(np.eye(q) + zz @ factor @ factor.T)[1]
    assert weighed.logdet == pytest.approx(logdet.sum(), rel=1e-12)
    for a in range(q):
        for c in range(s.p):
            np.testing.assert_allclose(weighed.e[s.layout.k[a, c]], solved[a, c], rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(weighed.by_level2[:q], solved[:, -1] @ s.level2.T, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", list(MODELS))
def test_blocks_of_units_and_tables_made_again_change_nothing(monkeypatch, name: str) -> None:
    s = made(name)
    whole = evaluate(s, root(s.n_random))
    monkeypatch.setattr(planes, "BLOCK", 4)
    assert [b.stop - b.start for b in planes.blocks(10)] == [4, 4, 2]
    assert_same(evaluate(s, root(s.n_random)), whole)
    monkeypatch.setattr(system, "LARGEST_TABLE", 1)
    again = replace(s)
    assert again.pairs is None
    assert_same(evaluate(again, root(s.n_random)), whole)


@pytest.mark.parametrize("name", list(MODELS))
def test_designs_made_a_block_of_units_at_a_time_are_the_same(monkeypatch, name: str) -> None:
    whole = made(name)
    monkeypatch.setattr(planes, "BLOCK", 4)
    in_blocks = made(name)
    for field in ("root", "rest", "level2", "white", "xx", "xe"):
        np.testing.assert_allclose(getattr(in_blocks, field), getattr(whole, field), rtol=1e-11, atol=1e-11)


def test_sums_over_units_are_those_of_a_matrix_product() -> None:
    rng = np.random.default_rng(3)
    for m, n in ((2, 3), (planes.FEW_SUMS, 2)):
        a, b = rng.normal(size=(m, 7)), rng.normal(size=(n, 7))
        np.testing.assert_allclose(planes.inner(a, b), np.einsum("aj,bj->ab", a, b), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", list(MODELS))
def test_information_of_a_caller_is_added_to_the_data(name: str) -> None:
    s = made(name)
    at, f = evaluate(s, root(s.n_random)), s.n_fixed
    precision, mean = np.diag(np.arange(1.0, f + 1)), np.linspace(-1, 1, f)
    with_prior = replace(
        s, xx=s.xx + precision, xe=s.xe + precision @ mean, ee=s.ee + mean @ precision @ mean
    )
    got = evaluate(with_prior, root(s.n_random))
    before = np.linalg.inv(at.vg)
    np.testing.assert_allclose(got.vg, np.linalg.inv(before + precision), rtol=1e-9, atol=1e-12)
    delta = got.vg @ (before @ at.delta + precision @ mean)
    np.testing.assert_allclose(got.delta, delta, rtol=1e-8, atol=1e-11)
    away = (
        at.rss + at.delta @ before @ at.delta + mean @ precision @ mean - delta @ (before + precision) @ delta
    )
    assert got.rss == pytest.approx(away, rel=1e-9)
    assert got.logdet_xvx == pytest.approx(np.linalg.slogdet(before + precision)[1], rel=1e-10)


@pytest.mark.parametrize("name", list(MODELS))
def test_sums_in_the_fixed_effects_equal_sums_over_units(name: str) -> None:
    s = made(name)
    at = evaluate(s, root(s.n_random))
    k = reduced(s, root(s.n_random))[:, :-1]
    x = np.einsum("fpu,uj->fpj", s.loading, s.level2)
    k = np.einsum("apj,fpj->afj", k, x)
    np.testing.assert_allclose(at.kk, np.einsum("afj,bgj->abfg", k, k), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", list(MODELS))
def test_the_systems_x_is_the_designs(name: str) -> None:
    m = model(name)
    design = prepare(m, small(3, n_units=30).data()).design
    s = standardise(design)
    x = x_blocks(design)
    xx = np.einsum("jaf,jab,jbg->fg", x, design.dd, x)
    scale = s.gamma_scale / s.e_scale
    np.testing.assert_allclose(s.xx, xx * np.outer(scale, scale), rtol=1e-10, atol=1e-9)
    np.testing.assert_allclose(np.diag(s.xx), design.n.sum(), rtol=1e-12)
    whitened = s.whitener @ s.xx @ s.whitener.T
    np.testing.assert_allclose(whitened, design.n.sum() * np.eye(design.n_fixed), rtol=1e-9, atol=1e-7)
    # X'e of the OLS residual is nothing
    x_e = np.einsum("jaf,ja->f", x, design.de)
    assert np.max(np.abs(x_e * scale)) < 1e-9 * design.n.sum() * s.e_scale


def test_a_level2_variable_with_one_value_stands_for_an_intercept() -> None:
    source = small(3)
    source.level2["w"] = np.full(12, 4.0)
    with_w = Model("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10*w + u1").fit(source.data())
    plain = Model("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10 + u1").fit(source.data())
    assert 4.0 * with_w.gamma["g10"] == pytest.approx(plain.gamma["g10"], rel=1e-9)
    np.testing.assert_allclose(with_w.tau, plain.tau, rtol=1e-7)


def test_a_level2_variable_far_from_zero_loses_no_digits() -> None:
    source, m = small(3), model("slopes")
    plain = m.fit(source.data())
    source.level2["w"] = source.level2["w"] + 1e4
    moved = m.fit(source.data())
    np.testing.assert_allclose(moved.tau, plain.tau, rtol=1e-6)
    assert moved.gamma["g01"] == pytest.approx(plain.gamma["g01"], rel=1e-6)
    assert moved.deviance == pytest.approx(plain.deviance, abs=1e-6)
