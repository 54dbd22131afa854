"""Multiply imputed data and plausible values: one fit for each data set, pooled by Rubin's rules."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arguments import one_or_several
from ..data.imputed import check_same, named
from ..data.two_level import TwoLevelData
from ..equations.model import TwoLevelModel
from ..errors import DataError, EstimationError, HypothesisError
from ..estimation.estimate import fit as fit_one
from ..estimation.estimates import Estimates
from ..estimation.weights import refuse_weighted
from ..inference.hlm_tables import fixed_df
from ..inference.hypotheses import (
    contrast_matrix,
    covariance_kind,
    describe,
    free_contrast,
    free_covariance,
    refuse_singular,
)
from ..labels import NamedArray
from ..likelihood.criterion import criterion
from ..likelihood.evaluate import evaluate
from ..likelihood.symmetric import semidefinite_root
from ..likelihood.system import data_scale, to_standard
from .rubin import Pooled, PooledTest, d1, d3, pool, pooled_covariance

if TYPE_CHECKING:
    import pandas as pd


LARGE = 500_000  # rows of all data sets together, from which threads are faster


def fit_imputed(
    model: TwoLevelModel,
    data: TwoLevelData | Sequence[TwoLevelData],
    *,
    outcomes: str | Sequence[str] = (),
    workers: int | None = None,
    **options: Any,
) -> PooledFit:
    """Estimate a model in every imputed data set, or for every plausible value, and pool.

    Parameters
    ----------
    model : TwoLevelModel
    data : sequence of TwoLevelData, or one where ``outcomes`` are given
        See `hlmbayes.read_imputed`. With ``outcomes`` and several data sets, one outcome each.
    outcomes : sequence of str
        Plausible values of the outcome: each takes the place of the model's outcome in turn.
    workers : int, optional
        Threads that fit at the same time; by default one for each processor where the data are large enough
        for that to pay.
    **options
        As `hlmbayes.estimation.estimate.fit`: method, algorithm, weights, ...

    Raises
    ------
    DataError
        Data sets that differ in variables, units or rows; fewer than two.
    """
    if model.log_sigma2:
        raise EstimationError("an equation for log(sigma2) cannot be pooled over imputed data: take it out")
    pairs = model_and_data(model, data, one_or_several(outcomes))

    def run(k: int) -> Estimates:
        name, each, sets = pairs[k]
        fitted: Estimates = named(name, lambda: fit_one(each, sets, **options))
        return fitted

    if workers is None:
        large = sum(sets.n_rows for _, _, sets in pairs) > LARGE
        workers = min(len(pairs), os.cpu_count() or 1) if large else 1
    if workers > 1:
        with ThreadPoolExecutor(workers) as pool_of_threads:
            fits = tuple(pool_of_threads.map(run, range(len(pairs))))
    else:
        fits = tuple(run(k) for k in range(len(pairs)))
    _check_rows(fits)
    return PooledFit(fits, tuple(name for name, _, _ in pairs))


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
        sets: Sequence[TwoLevelData] = [data] * len(outcomes)
    else:
        sets = list(data)
        check_same(sets)
        if outcomes and len(outcomes) != len(sets):
            raise DataError(f"{len(outcomes)} outcomes for {len(sets)} data sets: one outcome each, please")
    models = [with_outcome(model, outcome) for outcome in outcomes] or [model] * len(sets)
    names = outcomes or tuple(str(k) for k in range(1, len(sets) + 1))
    return list(zip(names, models, sets, strict=True))


def with_outcome(model: TwoLevelModel, outcome: str) -> TwoLevelModel:
    """Return the model with another outcome."""
    return TwoLevelModel.from_parts(outcome, model.coefficients, model.log_sigma2, model.constraints)


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


@dataclass(frozen=True, eq=False, repr=False)
class PooledFit:
    """Fits of one model to m imputed data sets, or plausible values, and what Rubin's rules make of them.

    Attributes
    ----------
    fits : tuple of m Fit
    names : tuple of m str
        Numbers of the data sets, or names of the plausible values.
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
        return NamedArray(np.mean([f.gamma for f in self.fits], axis=0), self.model.gamma_names)

    @property
    def tau(self) -> NamedArray:
        """Covariance matrix of the random effects, averaged."""
        return NamedArray(np.mean([f.components.tau for f in self.fits], axis=0), self.fits[0].random_names)

    @property
    def sigma2(self) -> float:
        """Level-1 variance, averaged."""
        return float(np.mean([f.sigma2 for f in self.fits]))

    @property
    def vcov(self) -> np.ndarray:
        """Total covariance matrix of all fixed effects; with sampling weights from the robust ones."""
        return self._covariance(None)

    def _robust(self, robust: bool | str | None) -> bool | str:
        return self.fits[0].weighted_kind == "sampling" if robust is None else robust

    def _covariances(self, robust: bool | str | None) -> np.ndarray:
        """Give the covariance matrices of the free fixed effects, (m, F, F)."""
        kind = covariance_kind(self._robust(robust))
        return np.array([free_covariance(f, kind) for f in self.fits])

    def _covariance(self, robust: bool | str | None) -> np.ndarray:
        free = self.fits[0].design.free
        total = pooled_covariance(np.array([f.gamma_free for f in self.fits]), self._covariances(robust))
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

    def pooled_fixed(self, robust: bool | str | None = None, df: str = "rubin") -> Pooled:
        """Pool all fixed effects; see `fixed_effects`."""
        if df not in ("rubin", "barnard-rubin"):
            raise HypothesisError(f'df={df!r} is not known: use "rubin" or "barnard-rubin"')
        free = self.fits[0].design.free
        variances = np.einsum("mff->mf", self._covariances(robust))[:, free]
        complete = np.array(fixed_df(self.fits[0])) if df == "barnard-rubin" else None
        return pool(np.array([np.asarray(f.gamma) for f in self.fits]), variances, complete)

    def fixed_effects(self, robust: bool | str | None = None, *, df: str = "rubin") -> pd.DataFrame:
        """Tabulate the pooled fixed effects: coefficient, se, t_ratio, df, p_value, fmi, riv.

        Parameters
        ----------
        robust : bool or str, optional
            As `Fit.fixed_effects`; by default the robust ones with sampling weights, else model-based.
        df : "rubin" or "barnard-rubin"
            Rubin's (1987) degrees of freedom (we take HLM's to be these: no listing to check), or those of
            Barnard & Rubin (1999), never more than those of a single data set.
        """
        return _frame(self.pooled_fixed(robust, df), self.model.gamma_names, "gamma")

    def pooled_components(self) -> tuple[tuple[str, ...], Pooled]:
        """Pool tau (lower triangle by rows) and sigma2 with the squares of their standard errors."""
        names = self.fits[0].effect_names
        rows, cols = np.tril_indices(len(names))
        labels = [names[a] if a == b else f"{names[a]}, {names[b]}" for a, b in zip(rows, cols, strict=True)]
        estimates = [np.append(f.components.tau[rows, cols], f.sigma2) for f in self.fits]
        errors = [np.append(np.asarray(f.se_tau)[rows, cols], f.se_sigma2) for f in self.fits]
        return (*labels, "r"), pool(np.array(estimates), np.array(errors) ** 2)

    def variance_components(self) -> pd.DataFrame:
        """Tabulate tau and sigma2 ("r"): variance, se, df, fmi, riv; nan where a data set has no s.e."""
        names, pooled = self.pooled_components()
        frame = _frame(pooled, names, "effect").rename(columns={"coefficient": "variance"})
        return frame.drop(columns=["t_ratio", "p_value"])

    def wald(self, hypothesis: Mapping[str, Any] | Any, *, robust: bool | str | None = None) -> PooledTest:
        """Test a hypothesis about several fixed effects by D1 (Li, Raghunathan & Rubin 1991).

        By default with the robust covariances, as `Fit.wald`.

        Raises
        ------
        HypothesisError
            Not such a hypothesis, or a covariance matrix that is singular.
        """
        contrast = contrast_matrix(self.fits[0], hypothesis)
        free = free_contrast(self.fits[0], contrast)
        estimates = np.array([free @ f.gamma_free for f in self.fits])
        covariances = free @ self._covariances(True if robust is None else robust) @ free.T
        for covariance in covariances:
            refuse_singular(covariance)
        return d1(estimates, covariances, describe(self.fits[0], contrast))

    def compare(self, other: PooledFit) -> PooledTest:
        """Compare with a nested model fitted to the same data sets, by D3 (Meng & Rubin 1992).

        Raises
        ------
        HypothesisError
            REML fits, sampling weights, different data sets, or as many parameters in both.
        """
        return _compare(self, other)

    def listing(self, *, each: bool = False, data_sources: Sequence[str] = (), **run: Any) -> str:
        """Return the pooled listing; ``each``: after those of every data set, by ``data_sources`` in turn."""
        from ..report.pooled import pooled_listing

        parts = []
        for k, (name, fit) in enumerate(zip(self.names, self.fits, strict=True)) if each else ():
            own = {"data_source": data_sources[k]} if data_sources else {}
            parts += [f" DATA SET {name}", "", fit.listing(**(run | own)), ""]
        return "\n".join([*parts, pooled_listing(self)])

    def to_json(self, tests: Sequence[PooledTest] = (), warnings: Sequence[str] = ()) -> str:
        """Return the pooled results and the estimates of every data set as JSON text.

        ``tests`` and ``warnings`` are put in with the rest.
        """
        from ..report.pooled import pooled_json

        return pooled_json(self, tests, warnings)

    def __repr__(self) -> str:
        gamma = ", ".join(f"{name} {value:.6g}" for name, value in self.gamma.items())
        lines = [
            f"Fits of {self.model.outcome} to {self.m} data sets, pooled: {self.method}",
            f"gamma  {gamma}",
            "tau    " + "; ".join(" ".join(f"{v:.6g}" for v in row) for row in np.asarray(self.tau)),
            f"sigma2 {self.sigma2:.6g}",
        ]
        return "\n".join([*lines, *self.warnings])


def _frame(pooled: Pooled, names: Sequence[str], index: str) -> pd.DataFrame:
    import pandas as pd

    columns = {
        "coefficient": pooled.estimate,
        "se": pooled.se,
        "t_ratio": pooled.t_ratio,
        "df": pooled.df,
        "p_value": pooled.p_value,
        "fmi": pooled.fmi,
        "riv": pooled.riv,
    }
    return pd.DataFrame(columns, index=pd.Index(names, name=index))


def _compare(one: PooledFit, other: PooledFit) -> PooledTest:
    if one.names != other.names:
        raise HypothesisError(f"the models were fitted to different data sets: {one.names} and {other.names}")
    for a, b in zip(one.fits, other.fits, strict=True):
        refuse_weighted(a, "a test of deviances", "sampling")
        if "REML" in (a.method, b.method):
            raise HypothesisError('D3 compares full likelihoods: fit both models with method="ML"')
        a.compare(b)  # refuses what cannot be compared
    small, large = sorted((one, other), key=lambda fit: fit.fits[0].n_parameters)
    own = np.array([a.deviance - b.deviance for a, b in zip(small.fits, large.fits, strict=True)])
    k = large.fits[0].n_parameters - small.fits[0].n_parameters
    return d3(own, _deviances_at_pooled(small) - _deviances_at_pooled(large), k)


def _deviances_at_pooled(pooled: PooledFit) -> np.ndarray:
    """Give each data set's deviance at the averaged gamma, tau and sigma2, shape (m,)."""
    gamma = np.mean([f.gamma_free for f in pooled.fits], axis=0)
    tau = np.mean([f.components.tau for f in pooled.fits], axis=0)
    sigma2 = float(np.mean([f.components.sigma2 for f in pooled.fits]))
    return np.array([deviance_at(fit, gamma, tau, sigma2) for fit in pooled.fits])


def deviance_at(fit: Estimates, gamma: np.ndarray, tau: np.ndarray, sigma2: float) -> float:
    """Give -2 log-likelihood (ML) of a fit's data at any parameters, ``gamma`` the free fixed effects."""
    system, design = fit.system, fit.design
    theta, s2 = to_standard(system, tau, sigma2)
    at = evaluate(system, semidefinite_root(theta))
    best = criterion(system, at, False, sigma2=s2).value + data_scale(system, False)
    away = (gamma - design.gamma_ols) / system.gamma_scale - at.delta
    log_weights = 0.0 if fit.weighting is None else fit.weighting.log_weights
    return float(best + away @ at.information_times(away) / s2 - log_weights)
