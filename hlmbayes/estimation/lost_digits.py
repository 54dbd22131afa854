"""In words: which columns are so nearly collinear that standard errors lose digits.

A product of columns is exact to one rounding of what it adds up. What is left of a column beside the others
is found from such products; where little is left, little of their digits is. The bound follows the two steps
in which columns are made orthonormal (`hlmbayes.likelihood.orthonormal`), so it knows what they do without
loss: a year of 2000 beside a constant, dummies without one.
"""

from __future__ import annotations

import numpy as np

from ..likelihood.design import Design, with_unit_weights
from .estimates import Estimates

ROUNDING = float(np.finfo(float).eps)
MOST = (
    3e-6  # of a variance of a fixed effect: the digits that are printed, for the bound is ten times the loss
)
INVOLVED = 1e-3  # share in a column of unit size that counts
SAID = (
    "The columns of {names} are collinear but for a small rest: standard errors, estimates and the "
    "log-likelihood have lost digits ({which} up to {loss:.0e} of their size). Take one of them out, or take "
    "their difference."
)


def lost_digits(fit: Estimates) -> tuple[str, ...]:
    """Say which predictors hardly differ; empty where no digit that is printed is lost."""
    design = fit.design
    level1 = level1_loss(design)
    loss = fixed_loss(fit, level1)
    if loss.max(initial=0.0) > MOST:
        codes = [fit.model.gamma_names[k] for k in design.first_of_free]
        names = np.array(fit.model.fixed_parameters.shown(codes))[loss > MOST]
        return (SAID.format(names=_and(list(names)), which="standard errors", loss=loss.max() / 2),)
    loss = level1.sum(axis=0)[: design.n_random]
    if loss.max(initial=0.0) > MOST:
        part = np.abs(design.bases.basis[:, loss.argmax()]) * np.sqrt(_total(design))
        names = np.array(fit.model.coefficient_names)[design.order][part > INVOLVED * part.max()]
        return (SAID.format(names=_and(list(names)), which="variances", loss=loss.max() / 2),)
    return ()


def level1_loss(design: Design) -> np.ndarray:
    """Bound the relative errors of the sums of squares of D*'s columns, within units and between, (2, p)."""
    products, basis = design.products.different, design.bases.basis
    times = np.ones(1) if design.products.kinds is None else design.products.kinds.times
    mean, spread = products.mean[design.order], np.sqrt(np.einsum("aaj->aj", products.cross)[design.order])
    within = ((np.abs(basis).T @ spread) ** 2 * times).sum(axis=1)
    terms = np.abs(basis).T @ np.abs(mean)
    between = (2.0 * np.abs(basis.T @ mean) * terms + ROUNDING * terms**2) @ (products.mass * times)
    return np.asarray(ROUNDING * np.stack([within, between]) / float(design.n.sum()))


def fixed_loss(fit: Estimates, level1: np.ndarray) -> np.ndarray:
    """Bound the relative error of the variance of each free fixed effect, (F,), from `level1_loss`.

    With A = X'V^-1X of the orthonormal columns known up to E, |E_ik| <= n (e_i e_k)^1/2, the error of
    w' A^-1 w is w' A^-1 E A^-1 w: what is lost within units weighs more the less units say than rows.
    What is lost between units, or of columns of Z, is lost in proportion of what is said: V has it too.
    """
    design = fit.design if fit.system.unit_weight is None else with_unit_weights(fit.design)
    bases, n = design.bases, float(design.n.sum())
    size = np.abs(bases.white) * np.sqrt(bases.sums.diagonal() / n)
    within, between = level1 if design is fit.design else level1_loss(design)
    of_column = size.reshape(len(size), len(within), len(design.level2)).sum(axis=2)
    w, carried = bases.whitener, fit.at.vg_white @ bases.whitener
    random = np.arange(len(within)) < design.n_random
    root = of_column @ np.sqrt(between + within * random) + np.sqrt(ROUNDING) * size.sum(axis=1)
    proportion = (root @ np.abs(w)) ** 2 / (w**2).sum(axis=0)
    root = of_column @ np.sqrt(within * ~random)
    return np.asarray(n * (root @ np.abs(carried)) ** 2 / np.einsum("if,if->f", w, carried) + proportion)


def _total(design: Design) -> np.ndarray:
    """Give the sums of squares of D's columns, those of Z first, (p,)."""
    products = design.products
    square = np.einsum("aaj->a", products.cross) + products.mean**2 @ products.mass
    return np.asarray(square[design.order])


def _and(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
