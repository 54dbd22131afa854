"""Outcomes that are not normal over imputed data: a likelihood fit of each data set, by Rubin's rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arguments import check_prob
from ..data.weights import Frequencies, Weights
from ..hglm.estimates import GeneralizedEstimates
from ..hglm.fit import fit_by_likelihood
from ..inference.covariances import table_kind
from ..inference.intervals import Interval
from ..inference.likelihood_tables import Ratio, cuts, refuse_no_ratio
from ..labels import NamedArray
from ..likelihood.pattern import elements
from .pooled_derived import t_intervals, tau_intervals
from .pooled_fit import PooledEstimates, Run, each_in_threads, pooled_fixed, tau_labels
from .rubin import Pooled, pool
from .sampling_variance import OfCovariances, Sampling


@dataclass(frozen=True, slots=True, eq=False)
class PooledGeneralized(PooledEstimates):
    """Fits of a model whose outcome is not normal to m imputed data sets: `GeneralizedEstimates` each."""

    fits: tuple[Any, ...]

    @property
    def tau(self) -> NamedArray:
        """Covariance matrix of the random effects, averaged."""
        return NamedArray(np.mean([f.tau_values for f in self.fits], axis=0), self.model.random_parameters)

    @property
    def given(self) -> tuple[str, ...]:
        """What the outcome is, how rows count, and how u was integrated out where nodes were asked for."""
        first = self.fits[0]
        how = f"The random effects are integrated out by {first.integration}."
        said = (first.law.sentence, first.counting.sentence, how if first.asked_nodes else "")
        return tuple(sentence for sentence in said if sentence)

    def sampling(self, robust: bool | str | None = None, *, tests: bool = False) -> Sampling:
        """Give the variances within data sets; robust where asked for, and with sampling weights."""
        return OfCovariances(self.fits, table_kind(self.fits[0], robust, None))


def fit_each_generalized(
    runs: Sequence[Run], workers: int | None = None, *, weights: Weights | Frequencies | None = None,
    n_nodes: int | None = None, laplace: bool = False,
) -> PooledGeneralized:  # fmt: skip
    """Fit the model of every data set of `model_and_data` by the likelihood; see `hlmbayes.fit_imputed`."""

    def fit(model: Any, data: Any) -> GeneralizedEstimates:
        return fit_by_likelihood(model, data, weights=weights, n_nodes=n_nodes, laplace=laplace)

    return PooledGeneralized(*each_in_threads(fit, runs, workers))


def pooled_ratios(
    pooled: PooledGeneralized, robust: bool | None = None, prob: float = 0.95
) -> tuple[Ratio, ...]:
    """Give exp of the pooled fixed effects with t limits; HypothesisError for a probit link."""
    check_prob(prob)
    refuse_no_ratio(pooled.model)
    found = pooled_fixed(pooled, robust)
    half = found.quantile(prob) * found.se
    with np.errstate(over="ignore"):
        lines = np.exp(np.stack([found.estimate, found.estimate - half, found.estimate + half], axis=1))
    return tuple(
        Ratio(name, *line) for name, line in zip(pooled.model.gamma_names, lines.tolist(), strict=True)
    )


def generalized_intervals(
    pooled: PooledGeneralized, prob: float = 0.95, *, robust: bool | None = None
) -> tuple[Interval, ...]:
    """Give t intervals of the fixed effects, of cuts and of tau, as `pooled_intervals`."""
    check_prob(prob)
    names, parts = pooled_cuts(pooled)
    return (
        *t_intervals(pooled.model.gamma_names, pooled_fixed(pooled, robust), prob),
        *(t_intervals(names, parts, prob) if names else ()),
        *tau_intervals(pooled, pooled_variances(pooled)[1], prob),
    )


def pooled_cuts(pooled: PooledGeneralized) -> tuple[tuple[str, ...], Pooled]:
    """Pool the cuts between categories of an ordinal outcome; none of other outcomes."""
    each = [cuts(fit) for fit in pooled.fits]
    values, errors = (
        np.array([[getattr(cut, name) for cut in own] for own in each]) for name in ("estimate", "se")
    )
    return tuple(cut.cut for cut in each[0]), pool(values, errors**2)


def pooled_variances(pooled: PooledGeneralized) -> tuple[tuple[str, ...], Pooled]:
    """Pool the free elements of tau, lower triangle by rows; no errors where a data set's is singular."""
    rows, cols = elements(pooled.fits[0].design.pattern)
    values = np.array([fit.tau_values[rows, cols] for fit in pooled.fits])
    errors = np.array([np.asarray(fit.se_tau)[rows, cols] for fit in pooled.fits])
    return tau_labels(pooled), pool(values, errors**2)
