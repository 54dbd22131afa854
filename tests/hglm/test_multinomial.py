"""Outcomes of categories without an order against brute force, nnet::multinom and what must not matter."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.errors import DataError, EquationError, EstimationError
from hlmbayes.estimation.prepare import prepare
from hlmbayes.hglm import fit as fitting
from hlmbayes.hglm.category_layout import with_found_categories
from hlmbayes.hglm.enough_nodes import more
from hlmbayes.hglm.estimates import GeneralizedEstimates
from hlmbayes.hglm.fit import fit_by_likelihood
from hlmbayes.hglm.marginal import marginal
from hlmbayes.hglm.ordinal_rows import rows_of_law
from hlmbayes.hglm.quadrature import product_rule
from hlmbayes.laws.multinomial import Multinomial
from hlmbayes.laws.ordinal import law_of

ORACLES = Path(__file__).parents[1] / "oracles"
KNOWN = json.loads((ORACLES / "multinomial.json").read_text())
ORACLE = pd.read_csv(ORACLES / "data" / "multinomial.csv")
PLAIN = "mlogit(y) = b0 + b1*x; b0 = g00 + g01*w + u0; b1 = g10"


@cache
def simulated(J: int = 30, n: int = 12, K: int = 2, seed: int = 4) -> pd.DataFrame:
    """Give J units of n rows in K + 1 categories, the last without an equation."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(J), n)
    x, w = rng.integers(0, 3, J * n), rng.normal(size=J).round(2)
    u = rng.multivariate_normal(np.zeros(K), 0.5 * np.eye(K) + 0.3, J)
    eta = np.zeros((K + 1, J * n))
    for k in range(K):
        eta[k] = 0.4 - 0.5 * k + (0.5 - 0.7 * k) * x + 0.4 * (k == 0) * w[unit] + u[unit, k]
    p = np.exp(eta) / np.exp(eta).sum(axis=0)
    y = (rng.random(J * n) > p.cumsum(axis=0)).sum(axis=0) + 1
    return pd.DataFrame({"id": unit, "x": x, "w": w[unit], "y": y})


def fitted(text: str, frame: pd.DataFrame, **how: object) -> GeneralizedEstimates:
    return fit_by_likelihood(hlm.Model(text), hlm.read(frame, id="id"), **how)  # type: ignore[arg-type]


def brute_force(frame: pd.DataFrame, gamma: np.ndarray, tau: np.ndarray, random: list[str]) -> float:
    """Integrate every unit's likelihood on a grid of its random effects, in plain NumPy.

    ``gamma`` (K, 3) of 1, w, x; ``tau`` of the effects of the columns ``random``, category by category.
    """
    K, frame = len(gamma), frame.assign(one=1.0)
    at, weight = np.polynomial.hermite.hermgauss(25 if len(tau) < 3 else 17)
    nodes = np.array(list(product(np.sqrt(2.0) * at, repeat=len(tau))))
    weights = np.array([np.prod(each) for each in product(weight / np.sqrt(np.pi), repeat=len(tau))])
    root = np.linalg.cholesky(tau + 1e-13 * np.eye(len(tau)))  # tau may be singular
    u = (nodes @ root.T).reshape(len(nodes), K, len(random))
    total = 0.0
    for _, rows in frame.groupby("id"):
        fixed = rows[["one", "w", "x"]].to_numpy(float) @ gamma.T
        eta = fixed[:, :, None] + np.einsum("rq,nkq->rkn", rows[random].to_numpy(float), u)
        full = np.concatenate([eta, np.zeros((len(rows), 1, len(nodes)))], axis=1)
        log = full - np.log(np.exp(full).sum(axis=1, keepdims=True))
        own = log[np.arange(len(rows)), rows["y"].to_numpy() - 1].sum(axis=0)
        total += np.log(weights @ np.exp(own))
    return -2.0 * total


def test_the_optimum_is_that_of_a_fixed_grid() -> None:
    found, known = fitted(PLAIN, ORACLE), KNOWN["brute_force"]
    assert found.converged
    assert found.deviance == pytest.approx(known["deviance"], abs=2e-6)
    assert found.gamma_free.reshape(2, 3) == pytest.approx(np.array(known["gamma"]), abs=2e-5)
    assert found.tau_values == pytest.approx(np.array(known["tau"]), abs=5e-5)
    assert found.unit_scores.sum(axis=0) == pytest.approx(np.zeros(found.n_parameters), abs=1e-4)


def test_without_random_effects_it_is_nnets() -> None:
    found, known = fitted(PLAIN.replace(" + u0", ""), ORACLE), KNOWN["multinom"]
    assert found.deviance == pytest.approx(known["deviance"], abs=1e-7)
    assert found.gamma_free.reshape(2, 3) == pytest.approx(np.array(known["gamma"]), abs=1e-6)
    se = np.sqrt(np.diag(found.vcov)).reshape(2, 3)
    assert se == pytest.approx(np.array(known["se"]), abs=1e-6)


def test_the_deviance_is_that_of_brute_force_and_its_lowest() -> None:
    frame, found = simulated(), fitted(PLAIN, simulated())
    assert found.converged
    gamma, tau = found.gamma_free.reshape(2, 3), found.tau_values
    assert found.deviance == pytest.approx(brute_force(frame, gamma, tau, ["one"]), abs=1e-5)
    rng = np.random.default_rng(2)
    for _ in range(4):
        away = rng.normal(size=(2, 2)) * 0.02
        other = brute_force(frame, gamma + rng.normal(size=(2, 3)) * 0.02, tau + away @ away.T, ["one"])
        assert other > found.deviance


@pytest.mark.parametrize(
    ("K", "text", "random"),
    [(3, PLAIN, "one"), (2, "mlogit(y) = b0 + b1*x; b0 = g00 + g01*w; b1 = g10 + u1", "x")],
)
def test_so_it_is_with_four_categories_and_with_random_slopes(K: int, text: str, random: str) -> None:
    frame = simulated(K=K, seed=6)
    found = fitted(text, frame)
    expected = brute_force(frame, found.gamma_free.reshape(K, 3), found.tau_values, [random])
    assert found.converged
    assert found.deviance == pytest.approx(expected, abs=2e-3 if K == 3 else 1e-5)
    assert found.n_parameters == K * 3 + K * (K + 1) // 2


@pytest.mark.parametrize("text", [PLAIN, PLAIN + " + u1"])
def test_score_and_information_are_differences_of_the_likelihood(text: str) -> None:
    few = simulated(J=8, n=6) if "u1" in text else simulated()
    prepared = prepare(hlm.Model(text), hlm.read(few, id="id"), law=Multinomial())
    law, design = with_found_categories(Multinomial(), prepared.design, prepared.complete)  # type: ignore[arg-type]
    _, law, rows = rows_of_law(law, design, prepared.complete)  # type: ignore[arg-type, assignment]
    rng, q = np.random.default_rng(0), rows.n_random
    gamma, chol = (
        rng.normal(size=rows.n_fixed) * 0.3,
        np.tril(rng.normal(size=(q, q)) * 0.2 + 0.6 * np.eye(q)),
    )
    rule = product_rule((15,) * 2 if q == 2 else (9,) * 4)

    def at(step: np.ndarray):  # type: ignore[no-untyped-def]
        moved = chol.copy()
        for (a, b), change in zip(rows.free, step[rows.n_fixed :], strict=True):
            moved[a, b] += change
        return marginal(rows, law, gamma + step[: rows.n_fixed], moved, rule, np.zeros((q, rows.n_units)))

    here, h = at(np.zeros(rows.n_parameters)), 1e-4
    sides = [(at(h * e), at(-h * e)) for e in np.eye(rows.n_parameters)]
    slope = np.array([(a.loglik - b.loglik) / (2 * h) for a, b in sides])
    bend = -np.array([(a.score - b.score) / (2 * h) for a, b in sides])
    assert here.score == pytest.approx(slope, abs=2e-4)
    assert here.information == pytest.approx(bend, abs=5e-3 if q == 4 else 2e-4)


@dataclass(frozen=True)
class OfAnyNumber(Multinomial):
    """As it is, of two categories too."""

    def check_rows(self, y: np.ndarray, size: np.ndarray, name: str) -> None:
        """Refuse nothing."""


def test_of_two_categories_it_is_the_logit_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = simulated().assign(y=lambda f: np.minimum(f["y"], 2))
    monkeypatch.setattr(fitting, "law_of", lambda _: OfAnyNumber())
    two = fitted(PLAIN, frame)
    monkeypatch.setattr(fitting, "law_of", law_of)
    one = fitted(PLAIN.replace("mlogit", "logit"), frame.assign(y=frame["y"] == 1))
    assert two.deviance == pytest.approx(one.deviance, abs=1e-8)
    assert two.gamma_free == pytest.approx(one.gamma_free, abs=1e-8)
    assert two.tau_values == pytest.approx(one.tau_values, abs=1e-8)
    assert two.covariance == pytest.approx(one.covariance, abs=1e-8)
    assert two.sandwich == pytest.approx(one.sandwich, abs=1e-8)
    assert two.u == pytest.approx(one.u, abs=1e-8)


def test_directions_without_variance_need_few_nodes() -> None:
    assert more(product_rule((15, 27, 7, 7)), 4, zero=2).counts == (18, 33, 3, 3)
    found = fitted(PLAIN, simulated(K=3, J=25, seed=1))  # one of three directions has no variance
    assert found.converged
    assert np.linalg.eigvalsh(found.tau_values)[0] == pytest.approx(0.0, abs=1e-9)
    assert "zero variance" in found.boundary[0]


@pytest.mark.slow
def test_estimates_are_about_what_was_simulated() -> None:
    found = fitted(PLAIN, simulated(J=500, n=25, seed=8))
    truth = np.array([0.4, 0.4, 0.5, -0.1, 0.0, -0.2])
    assert np.abs((found.gamma_free - truth) / np.sqrt(np.diag(found.vcov))).max() < 3.5
    expected = 0.5 * np.eye(2) + 0.3
    assert np.abs((found.tau_values - expected) / np.asarray(found.se_tau)).max() < 3.5


def test_another_reference_category_is_the_same_model() -> None:
    found, frame = fitted(PLAIN, simulated()), simulated()
    other = fitted(PLAIN, frame.assign(y=frame["y"].map({1: 3, 2: 2, 3: 1})))
    assert other.deviance == pytest.approx(found.deviance, abs=1e-6)
    a, b = found.gamma_free.reshape(2, 3), other.gamma_free.reshape(2, 3)
    assert b == pytest.approx(np.array([-a[0], a[1] - a[0]]), abs=1e-5)
    turn = np.array([[-1.0, 0.0], [-1.0, 1.0]])
    assert other.tau_values == pytest.approx(turn @ found.tau_values @ turn.T, abs=1e-5)


def test_the_order_of_rows_units_and_the_names_of_categories_do_not_matter() -> None:
    frame, found = simulated(), fitted(PLAIN, simulated())
    mixed = frame.sample(frac=1.0, random_state=3).assign(id=lambda f: (f["id"] * 7 + 3) % 30)
    mixed["y"] = mixed["y"].map({1: -2.5, 2: 0.0, 3: 40.0})
    other = fitted(PLAIN, mixed)
    assert other.deviance == pytest.approx(found.deviance, abs=1e-7)
    assert other.gamma_free == pytest.approx(found.gamma_free, abs=1e-6)
    assert other.model.gamma_names[:3] == ("g00[-2.5]", "g01[-2.5]", "g10[-2.5]")
    assert other.law.labels == ("-2.5", "0", "40")


@pytest.mark.parametrize(
    ("change", "text", "error", "message"),
    [
        ({"y": lambda f: (f["y"] > 2) * 1}, PLAIN, DataError, r"two categories, 0 and 1: write logit\(y\)"),
        ({"y": lambda f: 2}, PLAIN, DataError, "y is 2 in every row: nothing can be explained"),
        ({"y": lambda f: f.index % 12}, PLAIN, DataError, "at most 10 categories, each with equations"),
        ({"y": lambda f: f["id"] % 3}, PLAIN, EstimationError, "each unit have one and the same y"),
        ({"x": lambda f: f["y"] == 2}, PLAIN, EstimationError, r"g10\[2\] \(x\[2\]\) separates .* is none"),
        ({}, PLAIN + "; g10[1] = g10[2]", EquationError, r"g10\[1\]: effects are held equal in the"),
    ],
)  # fmt: skip
def test_what_has_no_estimate_is_refused(
    change: dict[str, object], text: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        fitted(text, simulated().assign(**change))
    assert "\n" not in str(caught.value)
