"""The priors of one design's parameters, every scale a number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..likelihood.pattern import Pattern
from ..naming import Parameter
from .distributions import LKJ, Flat, InverseWishart, Normal, SdPrior


@dataclass(frozen=True, slots=True)
class SigmaPrior:
    """The prior of the one level-1 standard deviation."""

    sigma: SdPrior

    def words(self) -> list[str]:
        """Say it in words, a parameter a line."""
        return [f"sigma: {self.sigma.words()}"]


@dataclass(frozen=True, slots=True)
class NoPrior:
    """A level-1 variance that is known has none; ``sentence`` says so."""

    sentence: str

    def words(self) -> list[str]:
        """Say it in words."""
        return [self.sentence]


@dataclass(frozen=True, slots=True, eq=False)
class CutsPrior:
    """The normal priors of the logarithm of each cut's distance to the one below it; ``mean``, ``sd`` (T,).

    ``sentence``: what the rows are.
    """

    names: tuple[str, ...]
    mean: np.ndarray
    sd: np.ndarray
    sentence: str

    def words(self) -> list[str]:
        """Say them in words, a cut a line."""
        each = zip(self.names, np.exp(self.mean).tolist(), self.sd.tolist(), strict=True)
        lines = [
            f"{name}, its distance to the cut below it: log-normal, median {median:.4g}, sd of the logarithm "
            f"{sd:.4g}"
            for name, median, sd in each
        ]
        return [*lines, self.sentence]


@dataclass(frozen=True, slots=True, eq=False)
class AlphaPrior:
    """The normal priors of the coefficients of log(sigma2), a0 and one a variable; ``mean``, ``sd`` (K,)."""

    names: tuple[str, ...]
    variables: tuple[str, ...]
    mean: np.ndarray
    sd: np.ndarray

    def words(self) -> list[str]:
        """Say them in words, a parameter a line."""
        priors = [Normal(float(mean), float(sd)) for mean, sd in zip(self.mean, self.sd, strict=True)]
        each = zip(self.names, ("intercept", *self.variables), priors, strict=True)
        return [f"{code} ({name}) of log(sigma2): {prior.words()}" for code, name, prior in each]


@dataclass(frozen=True, slots=True, eq=False)
class ResolvedPriors:
    """Priors of one design's parameters.

    Attributes
    ----------
    gamma_names : tuple of str, length F
        Free fixed effects.
    gamma_mean, gamma_precision : ndarray, shape (F,)
        Units of the data; precision 0 where the prior is flat.
    random_names : tuple of str, length q
        Random coefficients.
    pattern : Pattern
        Which of their covariances are free.
    sd : tuple of q SdPrior
    level1 : SigmaPrior, AlphaPrior, CutsPrior or NoPrior
    eta : float
        Of the LKJ prior.
    tau : InverseWishart or None
        Where given, ``sd`` and ``eta`` are not used.
    cautions : tuple of str
        What should be known of them, in words.
    names : mapping
        Names of the parameters by their codes, as they are shown.
    """

    gamma_names: tuple[str, ...]
    gamma_mean: np.ndarray
    gamma_precision: np.ndarray
    random_names: tuple[str, ...]
    pattern: Pattern
    sd: tuple[SdPrior, ...]
    level1: SigmaPrior | AlphaPrior | CutsPrior | NoPrior
    eta: float
    tau: InverseWishart | None
    cautions: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)

    def _shown(self, code: str) -> str:
        return str(Parameter(code, self.names.get(code, "")))

    @property
    def proper(self) -> bool:
        """Whether every prior integrates to one (no flat fixed effect)."""
        return bool(np.all(self.gamma_precision > 0))

    def describe(self) -> str:
        """Say every prior in words, one a line."""
        lines = []
        for name, mean, p0 in zip(self.gamma_names, self.gamma_mean, self.gamma_precision, strict=True):
            prior = Normal(float(mean), float(p0**-0.5)) if p0 > 0 else Flat()
            lines.append(f"{self._shown(name)}: {prior.words()}")
        if self.tau is not None:
            lines.append(f"tau of {', '.join(map(self._shown, self.random_names))}: {self.tau.words()}")
        else:
            for name, sd in zip(self.random_names, self.sd, strict=True):
                lines.append(f"sd of {self._shown(name)}: {sd.words()}")
            for block in self.pattern.blocks:
                if len(block) > 1:
                    names = ", ".join(self._shown(self.random_names[k]) for k in block)
                    lines.append(f"correlations of {names}: {LKJ(self.eta).words()}")
        return "\n".join([*lines, *self.level1.words(), *self.cautions])
