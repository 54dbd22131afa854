"""Groups of units, each with its own nodes, against one rule of many nodes for all."""

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.estimation.prepare import prepare
from hlmbayes.hglm import enough_nodes
from hlmbayes.hglm.counted_rows import counted_rows
from hlmbayes.hglm.enough_nodes import enough, grouped
from hlmbayes.hglm.marginal import marginal
from hlmbayes.hglm.quadrature import GroupRules, product_rule
from hlmbayes.hglm.search import search
from hlmbayes.laws.outcomes import Binomial


@pytest.mark.parametrize("effects", [1, 2])
def test_the_deviance_is_that_of_many_nodes_whatever_the_groups(effects, monkeypatch):
    monkeypatch.setattr(enough_nodes, "WORTH", 500)
    rng = np.random.default_rng(8)
    unit = np.repeat(np.arange(400), rng.integers(2, 25, 400))
    x, u = rng.normal(size=len(unit)), rng.normal(size=(2, 400))
    eta = -1.5 + 0.5 * x + 1.5 * u[0, unit] + 0.6 * u[1, unit] * x
    frame = pd.DataFrame({"id": unit, "x": x, "y": rng.random(len(unit)) < 1.0 / (1.0 + np.exp(-eta))})
    model = hlm.Model("logit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10" + " + u1" * (effects == 2))
    data, law = hlm.read(frame.astype({"y": int}), id="id"), Binomial()
    rows = counted_rows(prepare(model, data, law=law).design, data, law)
    found = search(rows, law)
    at, own = found.at, grouped(rows, found.at.modes)
    rules = enough(own, law, at)
    assert isinstance(rules, GroupRules)
    many = product_rule((75,) if effects == 1 else (41, 25))
    few, all_of_it = (
        marginal(r, law, at.gamma, at.chol, n, at.modes.t) for r, n in ((own, rules), (rows, many))
    )
    assert abs(2.0 * (few.loglik - all_of_it.loglik)) < enough_nodes.STILL
    np.testing.assert_allclose(few.score, all_of_it.score, atol=1e-5)
    np.testing.assert_allclose(few.information, all_of_it.information, rtol=1e-5, atol=1e-4)
    assert sum(rule.total * np.sum(own.group == k) for k, rule in enumerate(rules.rules)) < 0.9 * 400 * (
        rules.total
    )
    np.testing.assert_allclose(at.score, 0.0, atol=1e-4)


def test_a_large_sample_is_in_groups_of_about_as_many_rows():
    class Modes:
        root = np.random.default_rng(2).uniform(0.1, 1.0, (9000, 1, 1))

    J = 9000
    rows = _rows(J)
    group = grouped(rows, Modes).group
    assert group.min() == 0
    assert group.max() == enough_nodes.GROUPS - 1
    assert np.ptp(np.bincount(group)) < 0.02 * J
    longest = [Modes.root[group == k].max() for k in range(enough_nodes.GROUPS)]
    assert longest == sorted(longest)


def _rows(J):
    frame = pd.DataFrame(
        {"id": np.repeat(np.arange(J), 9), "x": np.arange(9.0 * J), "y": np.tile([0, 1, 1], 3 * J)}
    )
    model, data, law = (
        hlm.Model("logit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10"),
        hlm.read(frame, id="id"),
        Binomial(),
    )
    return counted_rows(prepare(model, data, law=law).design, data, law)
