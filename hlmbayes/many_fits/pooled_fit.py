"""Multiply imputed data and plausible values: one fit for each data set, pooled by Rubin's rules."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.imputed import check_same, named
from ..data.two_level import TwoLevelData
from ..equations.model import TwoLevelModel
from ..errors import DataError, EstimationError, HypothesisError
from ..estimation.estimate import fit as fit_one
from ..estimation.estimates import Estimates
from ..hypotheses.contrasts import hlm_df
from ..inference.component_errors import variance_standard_errors
from ..inference.covariances import Covariance, covariance_kind
from ..labels import NamedArray
from ..likelihood.pattern import elements
from .rubin import Pooled, pool, pooled_covariance

LARGE = 500_000  # rows of all data sets together, from which threads are faster


def fit_each(
    pairs: Sequence[tuple[str, TwoLevelModel, TwoLevelData]], workers: int | None = None, **options: Any
) -> PooledEstimates:
    """Fit the model of every data set of `model_and_data`; see `hlmbayes.fit_imputed`."""
    if pairs[0][1].log_sigma2:
        raise EstimationError("an equation for log(sigma2) cannot be pooled over imputed data: take it out")

    def run(pair: tuple[str, TwoLevelModel, TwoLevelData]) -> Any:
        name, each, sets = pair
        return named(name, lambda: fit_one(each, sets, **options))

    if workers is None:
        large = sum(sets.n_rows for _, _, sets in pairs) > LARGE
        workers = min(len(pairs), os.cpu_count() or 1) if large else 1
    if workers > 1:
        with ThreadPoolExecutor(workers) as pool_of_threads:
            fits = tuple(pool_of_threads.map(run, pairs))
    else:
        fits = tuple(map(run, pairs))
    _check_rows(fits)
    return PooledEstimates(fits, tuple(name for name, _, _ in pairs))


def model_and_data(
    model: TwoLevelModel, data: TwoLevelData | Sequence[TwoLevelData], outcomes: tuple[str, ...]
) -> list[tuple[str, TwoLevelModel, TwoLevelData]]:
    """Give the name, the model and the data of each fit."""
    if isinstance(data, TwoLevelData):
        if len(outcomes) < 2:
            raise DataError(
                f"one data set and {len(outcomes)} outcomes: give a list of imputed data sets, or outcomes=, "
                "the names of at least two plausible values"
            )
        found = [data.find(name) for name in outcomes]
        twice = [name for k, name in enumerate(found) if name in found[:k]]
        if twice:
            raise DataError(
                f"plausible values named twice: {', '.join(twice)}. Name each once: copies feign certainty"
            )
        sets: Sequence[TwoLevelData] = [data] * len(outcomes)
    else:
        sets = list(data)
        check_same(sets)

        if outcomes and len(outcomes) != len(sets):
            raise DataError(f"{len(outcomes)} outcomes for {len(sets)} data sets: one outcome each, please")
    parts = model.coefficients, model.log_sigma2, model.constraints, model.blocks
    models = [model.from_parts(outcome, *parts) for outcome in outcomes] or [model] * len(sets)
    names = outcomes or tuple(str(k) for k in range(1, len(sets) + 1))
    return list(zip(names, models, sets, strict=True))


def _check_rows(fits: Sequence[Estimates]) -> None:
    """Raise where missing values that are left make the data sets differ."""
    first = fits[0].design.moments
    for k, fit in enumerate(fits[1:], 2):
        other = fit.design.moments
        if not (np.array_equal(first.unit_ids, other.unit_ids) and np.array_equal(first.n, other.n)):
            raise DataError(
                f"data sets 1 and {k} differ in the rows that have values on all variables of the model "
                f"({first.n_rows:.0f} and {other.n_rows:.0f}): values are missing in some data sets and not "
                "in others"
            )


@dataclass(frozen=True, slots=True, eq=False)
class PooledEstimates:
    """Fits of one model to m imputed data sets, or plausible values: what `PooledFit` is a face of.

    ``names`` are the numbers of the data sets, or the names of the plausible values.
    """

    fits: tuple[Estimates, ...]
    names: tuple[str, ...]

    @property
    def m(self) -> int:
        """Number of data sets."""
        return len(self.fits)

    @property
    def model(self) -> TwoLevelModel:
        """The model (of the first plausible value)."""
        return self.fits[0].model

    @property
    def method(self) -> str:
        """ "REML" or "ML"."""
        return self.fits[0].method

    @property
    def gamma(self) -> NamedArray:
        """Fixed effects, averaged."""
        return NamedArray(np.mean([f.gamma for f in self.fits], axis=0), self.model.fixed_parameters)

    @property
    def tau(self) -> NamedArray:
        """Covariance matrix of the random effects, averaged."""
        mean = np.mean([f.components.tau for f in self.fits], axis=0)
        return NamedArray(mean, self.model.random_parameters)

    @property
    def sigma2(self) -> float:
        """Level-1 variance, averaged."""
        return float(np.mean([f.sigma2 for f in self.fits]))

    @property
    def vcov(self) -> np.ndarray:
        """Total covariance matrix of all fixed effects; with sampling weights from the robust ones."""
        free = self.fits[0].design.free
        total = pooled_covariance(np.array([f.gamma_free for f in self.fits]), covariances(self, None))
        return total[np.ix_(free, free)]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings of the data sets, each with the data sets that have it."""
        found: dict[str, list[str]] = {}
        for name, fit in zip(self.names, self.fits, strict=True):
            for warning in fit.warnings:
                found.setdefault(warning, []).append(name)
        return tuple(
            warning if len(names) == self.m else f"Data set {', '.join(names)}: {warning}"
            for warning, names in found.items()
        )


def kind_of(pooled: PooledEstimates, robust: bool | str | None) -> Covariance:
    """Give the kind of covariance asked for: if nothing is said robust where there are sampling weights."""
    return covariance_kind(pooled.fits[0].counting.pseudo if robust is None else robust)


def covariances(
    pooled: PooledEstimates, robust: bool | str | None, contrast: np.ndarray | None = None
) -> np.ndarray:
    """Give the covariance matrices (m, r, r) of a contrast (r, F); by default of the free fixed effects."""
    contrast = np.eye(pooled.fits[0].design.n_fixed) if contrast is None else contrast
    return np.array([kind_of(pooled, robust).of(f, contrast) for f in pooled.fits])


def pooled_fixed(pooled: PooledEstimates, robust: bool | str | None = None, df: str = "rubin") -> Pooled:
    """Pool all fixed effects; see `PooledFit.fixed_effects`."""
    rows = np.eye(len(pooled.model.gamma_names))
    free = np.eye(pooled.fits[0].design.n_fixed)[pooled.fits[0].design.free]
    return pooled_rows(pooled, rows, free, robust, df)


def pooled_rows(
    pooled: PooledEstimates, rows: np.ndarray, free: np.ndarray, robust: bool | str | None, df: str
) -> Pooled:
    """Pool combinations of the fixed effects, (r, n_gamma), carried to the free ones, (r, F), one by one."""
    if df not in ("rubin", "barnard-rubin"):
        raise HypothesisError(f'df={df!r} is not known: use "rubin" or "barnard-rubin"')
    variances = np.einsum("mff->mf", covariances(pooled, robust, free))
    complete = hlm_df(pooled.fits[0], rows) if df == "barnard-rubin" else None
    return pool(np.array([free @ f.gamma_free for f in pooled.fits]), variances, complete)


def pooled_components(pooled: PooledEstimates) -> tuple[tuple[str, ...], Pooled]:
    """Pool tau (its free elements, lower triangle by rows) and sigma2 with the squares of their errors."""
    names = pooled.fits[0].effect_names
    rows, cols = elements(pooled.fits[0].design.pattern)
    labels = [names[a] if a == b else f"{names[a]}, {names[b]}" for a, b in zip(rows, cols, strict=True)]
    estimates = [np.append(f.components.tau[rows, cols], f.sigma2) for f in pooled.fits]
    both = [variance_standard_errors(f) for f in pooled.fits]
    errors = [np.append(np.asarray(tau)[rows, cols], sigma2) for tau, sigma2 in both]
    return (*labels, "r"), pool(np.array(estimates), np.array(errors) ** 2)
