"""How much each unit moves the fixed effects: exact leave-one-unit-out, from the moments.

With A = sum_j X_j'V_j^-1 X_j, A_j unit j's part and s_j = X_j'V_j^-1(y_j - X_j gamma), GLS without unit j is

    gamma_(j) = gamma - (A - A_j)^-1 s_j

at the same tau and sigma2 (Snijders & Berkhof 2008, in de Leeuw & Meijer, Handbook of Multilevel
Analysis, ch. 3; the identity is that of deleting rows from weighted least squares).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import OutputError
from ..estimation.estimates import Estimates
from ..estimation.point import Point
from ..inference.scores import unit_scores
from ..labelled import table
from ..likelihood.system import to_standard
from .quantities import refuse_repeated

if TYPE_CHECKING:
    import pandas as pd

    from ..hglm.estimates import GeneralizedEstimates

CARRIED = 1e-9  # share of its information an effect keeps without the unit: below it the unit alone has it
CHUNK = 1 << 22  # numbers a working array may have


@dataclass(frozen=True, slots=True, eq=False)
class Influence:
    """Each unit's weight in the fixed effects, F of them free.

    Where the unit alone carries a fixed effect, ``change`` is nan and ``cook`` inf.
    """

    change: np.ndarray  # (J, F): gamma without the unit minus gamma
    cook: np.ndarray  # (J,): change' A change / F, Cook's distance: a squared length in standard errors
    leverage: np.ndarray  # (J,): tr(A^-1 A_j), the unit's share of the information; they add up to F


def leave_one_out(fit: Point) -> Influence:
    """Compute the influence of every unit at the fit's tau and sigma2; refuse no fixed effects."""
    refuse_repeated(fit)
    J, F = fit.design.n_units, fit.design.n_fixed
    if not F:
        raise OutputError("the model has no fixed effects that a unit could influence")
    root = np.linalg.cholesky(fit.vcov_white)  # information I, so A_j has eigenvalues in [0, 1]
    scores = unit_scores(fit, fit.gamma_free) @ root  # all at one gamma, tau and sigma2
    to_gamma = fit.design.to_gamma @ root
    change, cook, leverage = np.empty((J, F)), np.empty(J), np.empty(J)
    step = max(1, CHUNK // (F * max(F, len(fit.design.w))))
    theta = to_standard(fit.system, fit.entering.tau, fit.entering.sigma2)[0]
    k, x = fit.design.shrinkage(theta), fit.design.standard_x()
    for start in range(0, J, step):
        part = slice(start, start + step)
        own = _information(fit, x[part] @ root, k[part], part)
        leverage[part] = np.einsum("jff->j", own)
        left = np.eye(F) - own
        alone = np.linalg.eigvalsh(left)[:, 0] < CARRIED
        left[alone] = np.eye(F)
        moved = -np.linalg.solve(left, scores[part, :, None])[:, :, 0]
        moved[alone] = np.nan
        cook[part] = np.where(alone, np.inf, np.einsum("jf,jf->j", moved, moved) / F)
        change[part] = moved @ to_gamma.T
    return Influence(change, cook, leverage)


def _information(fit: Point, x: np.ndarray, k: np.ndarray, part: slice) -> np.ndarray:
    """Give x'(D*'V^-1 D*)x, shape (units, F, F), for x (units, p, F) and K (units, q, q)."""
    dd = fit.design.standard_dd[:, :, part].transpose(2, 0, 1)
    zd = dd[:, : fit.design.n_random]
    dvd = (dd - zd.transpose(0, 2, 1) @ k @ zd) / fit.entering.sigma2
    return np.asarray(x.transpose(0, 2, 1) @ dvd @ x)


def influence(fit: Estimates) -> pd.DataFrame:
    """Tabulate the influence of each unit; one row a unit, indexed by its id.

    Columns: nj; cook, Cook's distance; leverage; for every fixed effect its change when the unit is left
    out, as the effect is ("d_g00") and in standard errors ("z_g00"). tau and sigma2 are held.
    """
    found, design = leave_one_out(fit), fit.design
    columns = {"nj": design.moments.n, "cook": found.cook, "leverage": found.leverage}
    columns |= changes(fit, found.change)
    return table(columns, design.unit_ids, design.moments.id_name)


def changes(fit: Estimates | GeneralizedEstimates, change: np.ndarray) -> dict[str, np.ndarray]:
    """Give by name the changes of fixed effects without a unit, in s.e., too, from free ones (J, F)."""
    named = list(zip(fit.model.gamma_names, fit.design.free.tolist(), strict=True))
    in_se = change / np.sqrt(np.diag(fit.vcov_free))
    found = {f"d_{name}": change[:, f] for name, f in named}
    return found | {f"z_{name}": in_se[:, f] for name, f in named}
