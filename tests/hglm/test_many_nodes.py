"""Where three random effects seem to take very many nodes, the optimum is looked for with fewer first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.hglm import enough_nodes, search
from hlmbayes.hglm.quadrature import product_rule

TEXT = "log(y) = b0 + b1*x + b2*z; b0 = g00 + u0; b1 = g10 + u1; b2 = g20 + u2"


def test_very_many_nodes_are_looked_for_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    unit, x, z = np.repeat(np.arange(30), 10), *rng.normal(size=(2, 300))
    u = rng.normal(size=(30, 3)) * 0.4
    mean = np.exp(0.5 + 0.2 * x + u[unit, 0] + u[unit, 1] * x + u[unit, 2] * z)
    data = hlm.read(pd.DataFrame({"id": unit, "x": x, "z": z, "y": rng.poisson(mean)}), id="id")
    plain = hlm.Model(TEXT).fit(data)
    first = [product_rule((75, 11, 7))]

    def enough(*where: Any) -> Any:
        return first.pop() if first else enough_nodes.enough(*where)

    monkeypatch.setattr(search, "enough", enough)
    other = hlm.Model(TEXT).fit(data)
    assert max(other.n_nodes) < 75
    assert other._record.converged
    assert other.deviance == pytest.approx(plain.deviance, abs=2e-6)
    np.testing.assert_allclose(np.asarray(other.gamma), np.asarray(plain.gamma), atol=1e-5)
