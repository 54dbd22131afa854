"""Multiply imputed data and plausible values: one fit for each data set, pooled by Rubin's rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..arguments import accepted, whole
from ..data.imputed import check_same, named
from ..data.two_level import TwoLevelData
from ..data.weights import Weights
from ..equations.model import TwoLevelModel
from ..errors import DataError, EstimationError, HypothesisError, warn
from ..estimation.estimate import fit as fit_one
from ..estimation.estimates import Estimates
from ..inference.covariances import covariance_kind
from ..labels import NamedArray
from ..laws.law import Law
from ..laws.outcomes import Outcome
from ..likelihood.design import Design
from ..likelihood.pattern import elements
from ..terms.expand import rated
from ..threads import each, processors
from ..words import some
from .replicate_weights import Replicates, Replication, components_of, fit_replicates
from .rubin import Pooled, pool, pooled_covariance
from .sampling_variance import OfCovariances, OfReplicates, Sampling

LARGE = 500_000  # rows of all data sets together, from which threads are faster


Run = tuple[str, TwoLevelModel, TwoLevelData]  # name, model and data of a fit


def fit_each(runs: Sequence[Run], workers: int | None = None, **options: Any) -> PooledEstimates:
    """Fit the model of every data set of `model_and_data`; see `hlmbayes.fit_imputed`."""

    fit = partial(fit_one, **accepted(fit_one, options, "fit_imputed"))
    return PooledEstimates(*each_in_threads(fit, runs, workers))


def each_in_threads(
    fit: Callable[[TwoLevelModel, TwoLevelData], Any], runs: Sequence[Run], workers: int | None
) -> tuple[tuple[Any, ...], tuple[str, ...]]:
    """Fit every data set; give the fits and the names of the data sets, refusing sets of other columns."""

    def of_run(run: Run) -> Any:
        name, model, data = run
        return named(name, lambda: fit(model, data))

    fits = _in_threads(of_run, runs, workers)
    return fits, tuple(name for name, _, _ in runs)


def replicate_each(
    runs: Sequence[Run], asked: Replication, weights: Weights | None, *, sampling_from: str = "all",
    workers: int | None = None,
) -> PooledReplicates:  # fmt: skip
    """Fit every data set with the full weights, and all or the first with each replicate's."""
    if sampling_from not in ("all", "first"):
        raise EstimationError(f'sampling_from={sampling_from!r} is not known: use "all" or "first"')
    again = runs if sampling_from == "all" else runs[:1]

    def replicate(run: Run) -> Any:
        name, model, data = run
        if any(run is one for one in again):
            fit = partial(fit_replicates, model, data, weights, asked)
            return named(name, fit) if len(runs) > 1 else fit()
        return named(name, lambda: fit_one(model, data, weights=weights))

    found = _in_threads(replicate, runs, workers)
    samples = tuple(each for each in found if isinstance(each, Replicates))
    fits = tuple(each.full if isinstance(each, Replicates) else each for each in found)
    return PooledReplicates(fits, tuple(name for name, _, _ in runs), samples)


def _in_threads(fit: Callable[[Run], Any], runs: Sequence[Run], workers: int | None) -> tuple[Any, ...]:
    """Do the fits, several at a time where the data are large; refuse sets of different rows."""
    if runs[0][1].log_sigma2:
        raise EstimationError("an equation for log(sigma2) cannot be pooled over imputed data: take it out")
    if workers is None:
        large = sum(data.n_rows for _, _, data in runs) > LARGE
        workers = processors() if large else 1
    found = tuple(each(fit, runs, whole("workers", workers, 1, EstimationError)))
    fits = (each.full if isinstance(each, Replicates) else each for each in found)
    check_alike([(name, fit.design, fit.law) for (name, _, _), fit in zip(runs, fits, strict=True)])
    return found


def model_and_data(
    model: TwoLevelModel, data: TwoLevelData | Sequence[TwoLevelData], outcomes: tuple[str, ...]
) -> list[tuple[str, TwoLevelModel, TwoLevelData]]:
    """Give the name, the model and the data of each fit."""
    if not all(isinstance(name, str) for name in outcomes):
        raise DataError(f"outcomes= wants names of plausible values, got {some(map(repr, outcomes))}")
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
    elif not isinstance(data, list | tuple):
        raise DataError(
            f"several imputed data sets are wanted, a list or what hlmbayes.read_imputed gives, or data that "
            f"hlmbayes.read has read and outcomes=; got {type(data).__name__}"
        )
    else:
        sets = list(data)
        check_same(sets)
        if not outcomes and len(sets) > len({id(each) for each in sets}):
            raise DataError("a data set is there twice. Give each once: copies feign certainty")
        if outcomes and len(outcomes) != len(sets):
            raise DataError(f"{len(outcomes)} outcomes for {len(sets)} data sets: one outcome each, please")
    model = model.with_levels(sets[0])
    names = outcomes or tuple(str(k) for k in range(1, len(sets) + 1))
    sets = [named(name, partial(rated, model, each)) for name, each in zip(names, sets, strict=True)]
    _warn_of_labels(model, sets)
    of_each = [model.from_parts(*model.parts._replace(outcome=outcome)) for outcome in outcomes]
    models = of_each or [model] * len(sets)
    return list(zip(names, models, sets, strict=True))


def _warn_of_labels(model: TwoLevelModel, sets: Sequence[TwoLevelData]) -> None:
    """Warn where a value of a variable has one label in the first data set and another in a later one."""
    for name in {variable.lower(): variable for variable in (model.outcome, *model.variables)}:
        first = sets[0].value_labels.get(name, {})
        for k, data in enumerate(sets[1:], 2):
            own = data.value_labels.get(name, {})
            for code in first.keys() & own.keys():
                if str(first[code]).casefold() != str(own[code]).casefold():
                    warn(
                        f"{name}: {code} has the label {first[code]!r} in data set 1 and {own[code]!r} in "
                        f"{k}. If the codes mean different things, recode them: what is pooled mixes them"
                    )
                    return


def check_alike(sets: Sequence[tuple[str, Design, Law]]) -> None:
    """Raise DataError where data sets, by name, differ from the first in rows, in effects or in categories.

    Missing values that are left make rows differ, levels of a factor the effects.
    """
    name, first, law = sets[0]
    for other, design, own in sets[1:]:
        one, two = first.moments, design.moments
        if not (np.array_equal(one.unit_ids, two.unit_ids) and np.array_equal(one.n, two.n)):
            raise DataError(
                f"data sets {name} and {other} differ in the rows that have values on all variables of the "
                f"model ({one.n_rows:.0f} and {two.n_rows:.0f}): values are missing in some data sets and "
                "not in others"
            )
        theirs = own.labels if isinstance(own, Outcome) else ()
        if isinstance(law, Outcome) and law.labels != theirs:
            raise DataError(
                f"data sets {name} and {other} have different categories of {first.model.outcome} "
                f"({', '.join(law.labels)} and {', '.join(theirs)}): join rare ones before the data are "
                "imputed"
            )
        mine, yours = ((*each.model.gamma_names, *each.model.random) for each in (first, design))
        if odd := set(mine) ^ set(yours):
            raise DataError(
                f"data sets {name} and {other} make different columns of the same terms "
                f"({some(sorted(odd), 5)}): a factor has a level, or its first one, in some of them only. "
                "Join rare levels before the data are imputed, and label values alike"
            )
        if mine != yours:  # pooled by their places they would be mixed up
            pair = next(pair for pair in zip(mine, yours, strict=True) if pair[0] != pair[1])
            raise DataError(
                f"data sets {name} and {other} have the levels of a factor in another order "
                f"({' where the other has '.join(pair)}): label values alike, and give levels one order"
            )


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
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
        free = np.eye(self.fits[0].design.n_fixed)[self.fits[0].design.free]
        return pooled_covariance(np.array([f.gamma for f in self.fits]), self.sampling().of(free))

    def sampling(self, robust: bool | str | None = None, *, tests: bool = False) -> Sampling:
        """Give the variances within data sets.

        If nothing is said they are robust where there are sampling weights, and for ``tests``, as `Fit.wald`.
        """
        default = self.fits[0].counting.pseudo or tests
        return OfCovariances(self.fits, covariance_kind(default if robust is None else robust))

    @property
    def tables(self) -> Mapping[str, tuple[str, bool | None]]:
        """Tables of fixed effects by key: what is said of their errors, and ``robust`` of `sampling`."""
        return {"fixed": ("", False), "fixed_robust": (" (with robust standard errors)", True)}

    @property
    def given(self) -> tuple[str, ...]:
        """What is given of the level-1 variance, and how rows and units count, in words."""
        first = self.fits[0]
        return tuple(said for said in (first.law.sentence, first.counting.sentence) if said)

    @property
    def about_sampling(self) -> tuple[str, ...]:
        """What else is said of the standard errors, in words."""
        return ()

    @property
    def df_source(self) -> str:
        """Whose the degrees of freedom are."""
        return "Rubin (1987)"

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


@dataclass(frozen=True, slots=True, eq=False)
class PooledReplicates(PooledEstimates):
    """The same with sampling variances from replicate weights, ``samples``: those of all, or of the first.

    The rule of the surveys with plausible values (OECD 2009, PISA Data Analysis Manual, ch. 8; EdSurvey's
    jrrIMax): T = U + (1 + 1/m) B, U the replicates' variance averaged over the plausible values that have it.
    """

    samples: tuple[Replicates, ...]

    def sampling(self, robust: bool | str | None = None, *, tests: bool = False) -> Sampling:
        """Give the variances within data sets: those of the replicate weights, whatever they are for."""
        if robust is not None:
            raise HypothesisError(
                f"robust={robust!r}: the standard errors are those of the replicate weights; leave it out"
            )
        return OfReplicates(self.samples)

    @property
    def tables(self) -> Mapping[str, tuple[str, bool | None]]:
        """The one table of fixed effects; see `PooledEstimates.tables`."""
        return {"fixed_replicates": (" (with standard errors from replicate weights)", None)}

    @property
    def given(self) -> tuple[str, ...]:
        """The full weights; what standard errors hold with them alone is not said."""
        return (f"Sampling weights: {self.fits[0].counting.names}.",)

    @property
    def about_sampling(self) -> tuple[str, ...]:
        """What the replicate weights are, and what they were used for."""
        weights = self.samples[0].names
        of = f"{weights[0]} to {weights[-1]}"
        which = "all of them, averaged" if len(self.samples) == self.m else f"{self.names[0]} alone"
        where = (f"Sampling variance: of {which}; variance between them added",) if self.m > 1 else ()
        return (f"Standard errors: {self.samples[0].words}, {of}", *where)

    @property
    def df_source(self) -> str:
        """Whose the degrees of freedom are."""
        return "Johnson & Rust (1992)" if self.m > 1 else "those of the replicates"


def alone(replicates: Replicates) -> PooledReplicates:
    """Give one fit with replicate weights as pooled fits have it: nothing is added to its variance."""
    return PooledReplicates((replicates.full,), (replicates.full.model.outcome,), (replicates,))


def pooled_fixed(pooled: PooledEstimates, robust: bool | str | None = None, df: str = "rubin") -> Pooled:
    """Pool all fixed effects; see `PooledFit.fixed_effects`."""
    rows = np.eye(len(pooled.model.gamma_names))
    free = np.eye(pooled.fits[0].design.n_fixed)[pooled.fits[0].design.free]
    return pooled_rows(pooled, rows, free, pooled.sampling(robust), df)


def pooled_rows(
    pooled: PooledEstimates, rows: np.ndarray, free: np.ndarray, sampling: Sampling, df: str
) -> Pooled:
    """Pool combinations of the fixed effects, (r, n_gamma), carried to the free ones, (r, F), one by one."""
    variances = np.einsum("nff->nf", sampling.of(free))
    complete = sampling.complete_df(rows) if barnard_rubin(df) else None
    return pool(np.array([free @ f.gamma_free for f in pooled.fits]), variances, complete, sampling.df)


def barnard_rubin(df: str) -> bool:
    """Whether Barnard and Rubin's degrees of freedom are asked for; refuse what is not known."""
    if df not in ("rubin", "barnard-rubin"):
        raise HypothesisError(f'df={df!r} is not known: use "rubin" or "barnard-rubin"')
    return df == "barnard-rubin"


def pooled_components(pooled: PooledEstimates) -> tuple[tuple[str, ...], Pooled]:
    """Pool tau (its free elements, lower triangle by rows) and sigma2 with the squares of their errors."""
    sampling, estimates = pooled.sampling(), np.array([components_of(f) for f in pooled.fits])
    return (*tau_labels(pooled), "r"), pool(estimates, sampling.of_components(), None, sampling.df)


def tau_labels(pooled: PooledEstimates) -> tuple[str, ...]:
    """Name the free elements of tau by their random effects, lower triangle by rows: "u0", "u1, u0"."""
    names, free = pooled.fits[0].effect_names, elements(pooled.fits[0].design.pattern)
    return tuple(names[a] if a == b else f"{names[a]}, {names[b]}" for a, b in zip(*free, strict=True))
