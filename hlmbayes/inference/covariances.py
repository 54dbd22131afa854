"""The kinds of covariance matrices of the fixed effects, each with its degrees of freedom and its words.

`covariance_kind` and `table_kind` turn what users write into one of them; nothing else asks which it is.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any, ClassVar

import numpy as np

from ..errors import HypothesisError
from ..estimation.estimates import Estimates
from ..estimation.streamed import StreamedEstimates, refuse_stream
from ..hglm.estimates import GeneralizedEstimates
from .cluster_robust import cr2, hotelling_df
from .scores import ROUNDING, robust_parts
from .small_sample import kenward_roger, kenward_roger_df, satterthwaite_df

RANK_TOLERANCE = 1e-10
HLM_RULES = {
    "6": "HLM's: J - S - 1, or N - F where not random",
    "7": "HLM 7's: J - S - 1, or N - qJ - fixed slopes where not random",
}
HLM_DF = {"hlm": "6", "hlm7": "7"}  # what users write


@dataclass(frozen=True, slots=True)
class Covariance(ABC):
    """A kind of covariance matrix of the free fixed effects: to_gamma W to_gamma', all (F, F).

    W is that of X in columns in which combinations lose no digits, as a rule `Design.to_gamma`'s. ``small``:
    degrees of freedom are estimated for few units, else by the rule of a version of HLM, ``hlm``. ``words``
    and ``errors``: what it is, and what is said of an interval's standard errors; ``df`` and ``f_df``: whose
    the estimated degrees of freedom are, of one coefficient and of an F test.
    """

    small: bool = False
    hlm: str = "6"
    words: ClassVar[str]
    errors: ClassVar[str] = ""
    df: ClassVar[str] = "Satterthwaite"
    f_df: ClassVar[str] = df

    @abstractmethod
    def of(self, fit: Any, contrast: np.ndarray) -> np.ndarray:
        """Give the covariance matrix (r, r) of contrast @ gamma_free, contrast (r, F), units of the data."""

    def matrix(self, fit: Any) -> np.ndarray:
        """Give the covariance matrix of the free fixed effects, (F, F)."""
        return self.of(fit, np.eye(fit.design.n_fixed))

    def chi2(self, fit: Any, contrast: np.ndarray, away: np.ndarray) -> float:
        """Give the Wald chi-square of independent rows, (r, F), ``away`` (r,) from what is tested."""
        return wald_chi2(away, self.of(fit, contrast))

    def f_test(self, fit: Any, contrast: np.ndarray, away: np.ndarray) -> tuple[float, float, float]:
        """Give the Wald chi-square of `chi2`, F and its estimated denominator degrees of freedom.

        Raises
        ------
        HypothesisError
            Too few units; `exact` REML is needed where it says so.
        """
        chi2 = self.chi2(fit, contrast, away)
        scaling, denominator = self._reference(fit, contrast)
        return chi2, scaling * chi2 / len(contrast), denominator

    def _reference(self, fit: Any, contrast: np.ndarray) -> tuple[float, float]:
        """Give the factor of Wald / r that makes it an F, and its denominator degrees of freedom."""
        return 1.0, satterthwaite_df(fit, contrast)

    def coefficient_df(self, fit: Any, contrast: np.ndarray) -> float:
        """Give the estimated degrees of freedom of one row, (1, F)."""
        return self._reference(fit, contrast)[1]

    def basis(self) -> dict[str, str]:
        """Say which standard errors and degrees of freedom a table has."""
        df = self.df if self.small else HLM_RULES[self.hlm]
        return {"standard_errors": self.words, "df": df}

    def interval_method(self) -> str:
        """Say the same of an interval."""
        hlm = "hlm" if self.hlm == "6" else f"hlm{self.hlm}"
        return f"t, {self.df.lower() if self.small else hlm} d.f.{self.errors}"

    def whose_df(self) -> str:
        """Say whose degrees of freedom a combination's are."""
        hlm = "HLM" if self.hlm == "6" else f"HLM {self.hlm}"
        return f"{self.df if self.small else hlm}'s d.f."


class ModelBased(Covariance):
    """(X'V^-1X)^-1, as HLM prints its standard errors: with the sigma2 that leaves the last iteration."""

    words = "model-based covariance"

    def of(self, fit: Any, contrast: np.ndarray) -> np.ndarray:
        """Give L W L' of a contrast L."""
        turned = contrast @ fit.design.to_gamma
        return np.asarray(turned @ fit.vcov_white @ turned.T * (fit.components.sigma2 / fit.entering.sigma2))

    def f_test(self, fit: Any, contrast: np.ndarray, away: np.ndarray) -> tuple[float, float, float]:
        """Test with the sigma2 that enters, where the degrees of freedom are taken."""
        turned, df = contrast @ fit.design.to_gamma, satterthwaite_df(fit, contrast)
        chi2 = wald_chi2(away, turned @ fit.vcov_white @ turned.T)
        return chi2, chi2 / len(contrast), df


class KenwardRoger(Covariance):
    """Kenward and Roger's adjustment of the model-based covariance."""

    words = "Kenward-Roger adjusted covariance"
    df = f_df = "Kenward-Roger"

    def of(self, fit: Any, contrast: np.ndarray) -> np.ndarray:
        """Give L W L' of a contrast L."""
        parts = kenward_roger(fit)
        turned = contrast @ parts.to_gamma
        return np.asarray(turned @ parts.white @ turned.T)

    def _reference(self, fit: Any, contrast: np.ndarray) -> tuple[float, float]:
        return kenward_roger_df(kenward_roger(fit), contrast)


class Sandwich(Covariance):
    """A sum over units of the products of what each unit gives.

    A combination that one unit alone determines, or in which all units say the same, has no such variance:
    every unit gives zero. What rounding makes of that is zero here, for every table, test and interval.
    """

    @abstractmethod
    def _parts(self, fit: Estimates) -> np.ndarray:
        """Give what each unit gives, (J, F): W is the sum of its products."""

    def of(self, fit: Any, contrast: np.ndarray) -> np.ndarray:
        """Give L W L' of a contrast L; rows and columns of combinations that have no variance are zero."""
        turned = contrast @ fit.design.to_gamma
        moments, total = fit.design.moments, np.zeros((len(turned), len(turned)))
        for part in fit.parts():
            own = self._parts(part) @ turned.T
            total += own.T @ own
        share = moments.total_weight.sum() / moments.n.sum()  # of weights of size one
        model = share * np.einsum("rf,fg,rg->r", turned, fit.vcov_white, turned)
        gone = total.diagonal() <= ROUNDING**2 * model
        total[gone], total[:, gone] = 0.0, 0.0
        return total


class CR0(Sandwich):
    """HLM's robust covariance: the sandwich without a small-sample factor."""

    words = "robust (sandwich) covariance, as HLM"
    errors = ", robust s.e."

    def _parts(self, fit: Estimates) -> np.ndarray:
        return robust_parts(fit)


class CR1(Sandwich):
    """HLM's robust covariance times J / (J - 1)."""

    words = "robust covariance CR1: HLM's times J / (J - 1)"
    errors = ", CR1 s.e."

    def _parts(self, fit: Estimates) -> np.ndarray:
        return robust_parts(fit) * math.sqrt(fit.n_units / (fit.n_units - 1))


class CR2(Sandwich):
    """The bias-reduced robust covariance."""

    words = "bias-reduced robust covariance CR2"
    errors = ", CR2 s.e."
    f_df = "Satterthwaite (approximate Hotelling)"

    def _parts(self, fit: Estimates) -> np.ndarray:
        return cr2(fit).parts

    def coefficient_df(self, fit: Any, contrast: np.ndarray) -> float:
        """Give the estimated degrees of freedom of one row, (1, F); nan where it has no variance."""
        return hotelling_df(cr2(fit), contrast) if self.of(fit, contrast).any() else float("nan")

    def _reference(self, fit: Any, contrast: np.ndarray) -> tuple[float, float]:
        eta, rows = hotelling_df(cr2(fit), contrast), len(contrast)
        if not eta - rows + 1.0 > 0:
            raise HypothesisError(f"too few units for a CR2 test of {rows} rows at once: test fewer rows")
        return (eta - rows + 1.0) / eta, eta - rows + 1.0


# --- of a likelihood that is not normal: tests are normal ones (z, chi-square) ----------------------


class OfLikelihood(Covariance):
    """A kind whose degrees of freedom are infinite."""

    df = f_df = "infinite (normal)"

    @abstractmethod
    def free(self, fit: GeneralizedEstimates) -> np.ndarray:
        """Give the covariance matrix of the free fixed effects, (F, F)."""

    def of(self, fit: Any, contrast: np.ndarray) -> np.ndarray:
        """Give L V L' of a contrast L."""
        return np.asarray(contrast @ self.free(fit) @ contrast.T)

    def coefficient_df(self, fit: Any, contrast: np.ndarray) -> float:
        """Give infinite degrees of freedom."""
        return float("inf")

    def whose_df(self) -> str:
        """Say which tests they are."""
        return "normal tests"

    def interval_method(self) -> str:
        """Say which interval it is."""
        return f"normal{self.errors}"


class Observed(OfLikelihood):
    """The inverse of the observed information, the uncertainty of tau taken into account."""

    words = "observed information"

    def free(self, fit: GeneralizedEstimates) -> np.ndarray:
        """Give the covariance matrix of the free fixed effects, (F, F)."""
        return fit.vcov_free


class OfScores(OfLikelihood):
    """The sandwich of the units' scores."""

    words = "robust (sandwich) covariance"
    errors = ", robust s.e."

    def free(self, fit: GeneralizedEstimates) -> np.ndarray:
        """Give the covariance matrix of the free fixed effects, (F, F)."""
        F = fit.design.n_fixed
        return fit.sandwich[:F, :F]


# --- from what the user writes to a kind ---------------------------------------------------------

KINDS: dict[str, dict[str | None, Covariance]] = {
    "model": {None: ModelBased(), "satterthwaite": ModelBased(True), "kenward-roger": KenwardRoger(True)},
    "CR0": {None: CR0()},
    "CR1": {None: CR1()},
    "CR2": {None: CR2(True), "satterthwaite": CR2(True)},
}


def covariance_kind(robust: bool | str, df: str | None = None) -> Covariance:
    """Turn the arguments ``robust`` and ``df`` of a test into a kind of covariance matrix.

    Raises
    ------
    HypothesisError
        A word that is not known, or a combination that does not exist.
    """
    name = (
        {True: "CR0", False: "model"}[bool(robust)]
        if isinstance(robust, bool | np.bool_)
        else str(robust).upper()
    )
    method = None if df is None else str(df).lower()
    if name not in KINDS:
        raise HypothesisError(f"robust={robust!r} is not known: use True (as HLM), False, 'CR1' or 'CR2'")
    if method not in KINDS["model"]:
        raise HypothesisError(f'df={df!r} is not known: use "satterthwaite" or "kenward-roger"')
    if method in KINDS[name]:
        return KINDS[name][method]
    if method == "kenward-roger":
        raise HypothesisError("Kenward-Roger adjusts the model-based covariance: leave robust out with it")
    raise HypothesisError(f'there are no Satterthwaite d.f. for {name}: use robust="CR2" or robust=False')


@singledispatch
def test_kind(fit: Any, robust: bool | str | None, df: str | None) -> Covariance:
    """Do it for a test of a fit: by default HLM's robust covariance, or with ``df`` the model-based one.

    Other kinds of fits register their own, as for `table_kind`.
    """
    return covariance_kind(df is None if robust is None else robust, df)


@singledispatch
def table_kind(fit: Any, robust: bool | str | None, df: str | None) -> Covariance:
    """Do it for a table of fixed effects, where HLM's degrees of freedom can be asked for: "hlm", "hlm7".

    Standard errors nobody asked for are robust with sampling weights: model-based ones are not valid.
    """
    if robust is None:
        robust = fit.counting.pseudo and df is None
    if df in HLM_DF:
        return replace(covariance_kind(robust), small=False, hlm=HLM_DF[df])
    return covariance_kind(robust, df)


@table_kind.register
@test_kind.register
def _(fit: GeneralizedEstimates, robust: bool | str | None, df: str | None) -> Covariance:
    if df is not None:
        raise HypothesisError(
            f"df={df!r} is for normal outcomes, and {fit.model.outcome} is {fit.model.outcome_law.name}: its "
            "tests are normal ones, without degrees of freedom"
        )
    if isinstance(robust, str) and robust.upper() != "CR0":
        raise HypothesisError(
            f"robust={robust!r} is for normal outcomes: use True (--robust HLM), the sandwich of the units' "
            "scores"
        )
    if robust is None:
        robust = fit.counting.pseudo
    return OfScores(True) if covariance_kind(robust) is not covariance_kind(False) else Observed(True)


@table_kind.register
def _(fit: StreamedEstimates, robust: bool | str | None, df: str | None) -> Covariance:
    return _of_parts(table_kind.dispatch(Estimates)(fit, robust, df))


@test_kind.register
def _(fit: StreamedEstimates, robust: bool | str | None, df: str | None) -> Covariance:
    return _of_parts(test_kind.dispatch(Estimates)(fit, robust, df))


def _of_parts(kind: Covariance) -> Covariance:
    """Refuse degrees of freedom for few units, which are not sums over parts of them."""
    if kind.small:
        refuse_stream(f"{kind.words} with {kind.df}'s degrees of freedom")
    return kind


# --- Wald's statistic ----------------------------------------------------------------------------


def wald_chi2(estimate: np.ndarray, covariance: np.ndarray) -> float:
    """Give estimate' covariance^-1 estimate; refuse a singular covariance."""
    refuse_singular(covariance)
    scale = np.sqrt(np.diag(covariance))
    z = estimate / scale
    return float(z @ np.linalg.solve(covariance / np.outer(scale, scale), z))


def refuse_singular(covariance: np.ndarray) -> None:
    """Raise where a covariance matrix of tested combinations is singular but for rounding."""
    variance = np.diag(covariance)
    refuse_zero(variance)
    scale = np.sqrt(variance)
    if np.linalg.eigvalsh(covariance / np.outer(scale, scale))[0] > RANK_TOLERANCE:
        return
    raise HypothesisError(
        "the covariance matrix of the tested combinations is singular (too few units for that many rows?): "
        "test fewer rows at once, or use robust=False"
    )


def refuse_zero(variance: np.ndarray) -> None:
    """Raise where a tested combination has no variance, by those of all of them (r,)."""
    if not np.all(variance > 0):
        raise HypothesisError(
            "the robust variance of a tested combination is zero: one unit alone determines it, or all units "
            "say the same of it. Use robust=False, or leave it out"
        )
