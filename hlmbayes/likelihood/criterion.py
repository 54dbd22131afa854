"""The criterion to minimise, its gradient and its Hessian; information matrices of tau and sigma2.

All derivatives are with respect to the entries of Theta = tau / sigma2 taken as independent, as
tensors with one index pair an entry; contracting them with symmetric directions gives any
parameterisation's derivatives. With P = V^-1 - V^-1 X (X'V^-1X)^-1 X'V^-1 and V_ab = Z e_a e_b' Z':

    d log|V| + log|X'V^-1X|  = tr(P V_ab)            second: -tr(P V_ab P V_cd)
    d y'Py                   = -y'P V_ab P y         second: 2 y'P V_ab P V_cd P y

(Harville 1977; Searle, Casella & McCulloch 1992, ch. 6). ML replaces P by V^-1 in the traces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .evaluate import Evaluation, System

LOG_2PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True, slots=True, eq=False)
class Criterion:
    """-2 log-likelihood (standardised units), its gradient (q, q) and Hessian (q, q, q, q) in Theta.

    The Hessian is meant for contraction with symmetric directions on both sides; as a tensor it is
    not symmetrised within each index pair.
    """

    value: float
    gradient: np.ndarray
    hessian: np.ndarray


def degrees_of_freedom(system: System, reml: bool) -> float:
    """Give N - F under REML and N under ML: the divisor of the residual sum of squares."""
    return system.n - system.n_fixed * reml


def profiled_sigma2(system: System, at: Evaluation, reml: bool) -> float:
    """Give the sigma2 that maximises the likelihood at this Theta, standardised units."""
    return at.rss / degrees_of_freedom(system, reml)


def criterion(system: System, at: Evaluation, reml: bool, *, sigma2: float | None = None) -> Criterion:
    """Evaluate the criterion, with sigma2 profiled out or held at a value (standardised units)."""
    df = degrees_of_freedom(system, reml)
    profiled = sigma2 is None
    s2 = at.rss / df if sigma2 is None else sigma2
    value = at.logdet_v + reml * at.logdet_xvx + df * (np.log(s2) + LOG_2PI) + at.rss / s2
    gradient = (at.h - at.p if reml else at.h) - at.vv / s2
    hessian = (2.0 / s2) * quadratic_tensor(at) - trace_tensor(at, reml)
    if profiled:
        hessian -= np.multiply.outer(at.vv / (s2 * at.rss), at.vv)
    return Criterion(float(value), gradient, hessian)


def trace_tensor(at: Evaluation, reml: bool) -> np.ndarray:
    """Give tr(P V_ab P V_cd), or with V^-1 for P under ML; sigma2 = 1."""
    trace = at.hh.transpose(3, 0, 1, 2)  # [a, b, c, d] <- H_bc H_da
    if reml and len(at.delta):
        trace = trace - at.hp.transpose(3, 0, 1, 2) - at.hp.transpose(1, 2, 3, 0)
        q, k = len(at.theta), len(at.vg_level2)
        weighted = at.kk_level2 @ at.vg_level2
        flat = weighted.reshape(q * q, k * k)
        turned = weighted.transpose(0, 1, 3, 2).reshape(q * q, k * k)
        trace += (flat @ turned.T).reshape(q, q, q, q)
    return trace


def quadratic_tensor(at: Evaluation) -> np.ndarray:
    """Give y'P V_ab P V_cd P y; sigma2 = 1."""
    quadratic = at.hv.transpose(2, 0, 1, 3)  # [a, b, c, d] <- H_bc v_a v_d
    if len(at.delta):
        q, k = len(at.theta), len(at.vg_level2)
        kv = at.kv_level2.reshape(q * q, k)
        quadratic = quadratic - ((kv @ at.vg_level2) @ kv.T).reshape(q, q, q, q).transpose(1, 0, 2, 3)
    return quadratic


def score(system: System, at: Evaluation, sigma2: float, reml: bool) -> np.ndarray:
    """Give the derivatives of the log-likelihood in (free elements of tau, sigma2), shape (m + 1,).

    Standardised units, in the columns in which tau has its pattern; in the order of ``expected_information``.
    """
    first = at.h - reml * at.p
    of_tau = np.einsum("kab,ab->k", system.tau_columns.directions, at.vv / sigma2 - first)
    trace = degrees_of_freedom(system, reml) - np.sum(at.theta * first)
    of_sigma2 = (at.rss - np.sum(at.theta * at.vv)) / sigma2 - trace
    return np.append(of_tau, of_sigma2) / (2.0 * sigma2)


def expected_information(
    system: System, at: Evaluation, sigma2: float, reml: bool, directions: np.ndarray | None = None
) -> np.ndarray:
    """Give the expected information of (free elements of tau, sigma2), shape (m + 1, m + 1).

    Standardised units, in the columns in which tau has its pattern; or that of steps along ``directions``
    (m, q, q) of tau in the columns of the system. I_kl = tr(P V_k P V_l) / 2 with V_sigma2 = I; P = V^-1
    under ML (Searle, Casella & McCulloch 1992, pp. 239, 253). P V P = P makes the entries of sigma2 follow
    from those of tau.
    """
    first = at.h - reml * at.p  # tr(P V_ab)
    df = degrees_of_freedom(system, reml)
    basis = system.tau_columns.directions if directions is None else directions
    return _with_sigma2(basis, at.theta, trace_tensor(at, reml), first, df) / (2.0 * sigma2**2)


def _with_sigma2(
    basis: np.ndarray, theta: np.ndarray, full: np.ndarray, first: np.ndarray, trace: float
) -> np.ndarray:
    """Put the entries of sigma2, which follow from those of tau, beside the tensor of tau."""
    through = np.einsum("abcd,cd->ab", full, theta)
    m = len(basis)
    result = np.empty((m + 1, m + 1))
    result[:m, :m] = np.einsum("kab,abcd,lcd->kl", basis, full, basis)
    result[:m, m] = result[m, :m] = np.einsum("kab,ab->k", basis, first - through)
    result[m, m] = trace - 2.0 * np.sum(first * theta) + np.sum(through * theta)
    return result


def observed_information(
    system: System, at: Evaluation, sigma2: float, reml: bool, directions: np.ndarray | None = None
) -> np.ndarray:
    """Give minus the second derivatives of the log-likelihood in (tau, sigma2), shape (m + 1, m + 1).

    Of what `expected_information` is of; equal to that plus terms of mean zero.
    """
    basis = system.tau_columns.directions if directions is None else directions
    quadratic = _with_sigma2(basis, at.theta, quadratic_tensor(at) / sigma2, at.vv / sigma2, at.rss / sigma2)
    return np.asarray(quadratic / sigma2**2 - expected_information(system, at, sigma2, reml, basis))


def em_step(system: System, at: Evaluation, sigma2: float, reml: bool) -> tuple[np.ndarray, float]:
    """Take one EM step from (Theta, sigma2): the new tau and sigma2, standardised units.

    The M-step averages u*u*' + s2 C^-1 (+ G Vg G' under REML) over units, C = Z'Z + s2 tau^-1
    (Raudenbush & Bryk 2002, pp. 442-444). With C^-1 = Theta - Theta H Theta, u* = Theta v and
    G = Theta K it needs the score sums only, and a singular tau is no special case. Where tau has blocks, the
    M-step is the average's own blocks: what lies between them is left to `to_data`.
    """
    theta = at.theta
    spread = sigma2 * (at.h - reml * at.p) - at.vv
    tau = sigma2 * theta - theta @ spread @ theta / system.n_units
    trace = degrees_of_freedom(system, reml) - np.sum(theta * (at.h - reml * at.p))
    residual = at.rss - np.sum(theta * at.vv) + sigma2 * (system.n - trace)
    return tau, float(residual / system.n)
