"""Units with the same design, once: balanced occasions, growth data, repeated measures.

Where units have the same Z'Z and D'D, V^-1 does to each of them the same. The outcome and the level-2
columns enter the likelihood by squares and products of s_j = (level-2 columns, the outcome in the unit's own
columns) only, and what they add up to, sum_j s_j s_j', is that of a few units: as many as s has elements. The
likelihood of J units is that of these few for each design.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .alike import Alike, alike
from .system import System

PAYS = 4  # times as many units as are left


def with_designs_once(system: System) -> System:
    """Give a system of fewer units with the same likelihood, where many have the same design.

    Its units are no units of the data; `System.times` says for how many of these each stands.
    """
    p, q = system.p, system.n_random
    if not q or system.unit_weight is not None or system.times is not None:
        return system
    J = system.level2.shape[1]
    planes = [*system.root[:, :p].reshape(-1, J), *system.rest[:, : p - q].reshape(-1, J)]
    kinds = alike(planes, 1.0 / (PAYS * (len(system.level2) + p)))
    return system if kinds is None else _joined(system, kinds)


def _joined(system: System, kinds: Alike) -> System:
    """Give for each design as many units as s has elements."""
    p, q, u = system.p, system.n_random, len(system.level2)
    s = np.concatenate([system.level2, system.root[:, p], system.rest[:, p - q]])
    size = len(s)
    few = _roots(_sums(s, kinds)).transpose(1, 0, 2).reshape(size, -1)  # (size, D * size)
    unit = np.repeat(kinds.first, size)
    root, rest = system.root[..., unit], system.rest[..., unit]
    root[:, p], rest[:, p - q] = few[u : u + q], few[u + q :]
    times = np.repeat(kinds.times / size, size)
    return replace(system, root=root, rest=rest, level2=few[:u], times=times)


def _sums(s: np.ndarray, kinds: Alike) -> np.ndarray:
    """Add up s s' over the units of each design, (D, size, size)."""
    if len(kinds.times) == 1:
        return np.asarray((s @ s.T)[None])
    order = np.argsort(kinds.of, kind="stable")
    s, starts = s[:, order], np.cumsum(kinds.times) - kinds.times
    return np.asarray(np.stack([np.add.reduceat(row * s, starts, axis=1) for row in s]).transpose(2, 0, 1))


def _roots(sums: np.ndarray) -> np.ndarray:
    """Give R with R R' = S, however different the sizes of the elements of s are."""
    scale = np.sqrt(np.einsum("daa->da", sums))
    scale[scale == 0.0] = 1.0
    values, vectors = np.linalg.eigh(sums / (scale[:, :, None] * scale[:, None]))
    return np.asarray(scale[:, :, None] * vectors * np.sqrt(np.maximum(values, 0.0))[:, None])
