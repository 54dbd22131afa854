"""Level-2 variables that a model has not, judged without fitting them: HLM's way and a better one.

HLM's exploratory analysis regresses the empirical Bayes residuals u*_q on each candidate, units alike
(Raudenbush & Bryk 2002, ch. 9): shrunken residuals make its coefficients too small. Beside it stands the
score test: the effect that a fit with the candidate has at the same tau and sigma2, from the moments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtrc

from ..arguments import one_or_several
from ..errors import HypothesisError, OutputError
from ..estimation.estimates import Estimates
from ..inference.scores import residuals_u
from ..labelled import table
from ..labels import Sentence
from ..laws.law import Need
from ..likelihood.system import to_standard
from ..text_table import number_format
from ..words import p_text
from .frames import level2_names, level2_values
from .quantities import refuse_repeated

if TYPE_CHECKING:
    import pandas as pd

    from ..hglm.estimates import GeneralizedEstimates

type Judged = Estimates | GeneralizedEstimates
CAUTION = (
    "Candidates chosen because they stand out here are significant too easily in a test of the same data, "
    "and their effects are overrated: report how many were looked at."
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate in the equation of a coefficient: HLM's regression of u*, and the score test."""

    coefficient: str
    variable: str
    n_units: int
    estimate: float  # of the regression of u*
    se: float
    t: float
    effect: float  # as it would enter the model, tau and sigma2 held
    effect_se: float
    chi2: float
    p_value: float


@dataclass(frozen=True, slots=True, repr=False)
class Exploration(Sentence):
    """What each candidate promises in the equation of each random coefficient."""

    candidates: tuple[Candidate, ...]

    def frame(self) -> pd.DataFrame:
        """Tabulate the candidates: HLM's coefficient, se and t-to-enter; the score test."""
        fields = ("coefficient", "variable", "n_units", "estimate", "se", "t", "effect", "effect_se", "chi2")
        columns = {name: [getattr(each, name) for each in self.candidates] for name in (*fields, "p_value")}
        return table(columns, range(len(self.candidates)), "candidate")

    @property
    def sentences(self) -> tuple[str, ...]:
        """Each candidate in words, and the caution."""
        return (*map(_sentence, self.candidates), CAUTION)

    def __str__(self) -> str:
        return "\n".join(self.sentences)


def _sentence(c: Candidate) -> str:
    how, of_score = number_format([c.estimate, c.se]), number_format([c.effect, c.effect_se])
    return (
        f"{c.variable} for {c.coefficient}: coefficient {c.estimate:{how}}, standard error {c.se:{how}}, "
        f"t-to-enter {c.t:.3f} (EB residuals); score test: effect {c.effect:{of_score}}, "
        f"s.e. {c.effect_se:{of_score}}, chi-square = {c.chi2:.3f} on 1 d.f., {p_text(c.p_value)}"
    )


def explore(
    fit: Estimates, variables: str | Sequence[str] = (), *, coefficients: str | Sequence[str] = ()
) -> Exploration:
    """Judge level-2 variables as further predictors of the random coefficients, without fitting them.

    Parameters
    ----------
    variables : str or sequence of str
        Candidates; by default every level-2 variable that an equation has not.
    coefficients : str or sequence of str
        Random coefficients, by name or variable; all by default.

    Raises
    ------
    OutputError
        No such level-2 variable.
    HypothesisError
        No such random coefficient, sampling weights, or nothing to judge.
    """
    refuse_repeated(fit)
    fit.require("an exploratory analysis", Need.LIKELIHOOD)
    return explored(fit, scores_of(fit), variables, coefficients)


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What candidates are judged by: u* (J, q), and the units' scores and informations in p columns D*.

    ``scale`` is what these are multiplied by: sigma2, which they are without in moments.
    """

    u: np.ndarray
    columns: np.ndarray  # (q, p): the random columns of D in those of D*
    score: np.ndarray  # (J, p): D'V^-1(y - X gamma)
    own: np.ndarray  # (J, p, p): D'V^-1 D
    shared: np.ndarray  # (J, p, F): D'V^-1 X, with F fixed effects
    covariance: np.ndarray  # (F, F): of these
    scale: float = 1.0

    def effect(self, k: int, w: np.ndarray) -> tuple[float, float]:
        """Give the effect of w (J,) on the k-th random coefficient and its s.e., tau held."""
        column = self.columns[k]
        score = float(w @ (self.score @ column)) / self.scale
        own = float(np.einsum("j,p,jpr,r->", w**2, column, self.own, column)) / self.scale
        shared = np.einsum("j,p,jpf->f", w, column, self.shared) / self.scale
        information = own - float(shared @ self.covariance @ shared)
        if not information > 1e-12 * own:
            return float("nan"), float("nan")
        return score / information, information**-0.5


def explored(
    fit: Judged, scores: Scores, variables: str | Sequence[str], coefficients: str | Sequence[str]
) -> Exploration:
    """Judge candidates of a fit, whatever its outcome; parameters as of `explore`."""
    names = one_or_several(variables) or tuple(level2_names(fit))
    wanted = [fit.model.random_parameters.find(c, HypothesisError) for c in one_or_several(coefficients)]
    found = []
    for k, r in enumerate(fit.design.random.tolist()):
        coefficient = fit.model.coefficients[r]
        inside = [str(g.predictor.variable).lower() for g in coefficient.gammas]
        for name in names:
            if (wanted and coefficient.name not in wanted) or name.lower() in inside:
                continue
            if not one_or_several(variables) and not _varies(fit, name):
                continue  # nobody asked for what is alike in all units
            found.append(_candidate(fit, scores, k, coefficient.name, name))
    if not found:
        raise HypothesisError("there is no candidate: the equations have these variables already")
    return Exploration(tuple(found))


def _varies(fit: Judged, name: str) -> bool:
    """Say whether a level-2 variable is a number that is not the same in all units."""
    values = level2_values(fit, name)
    if values.dtype.kind not in "biuf":
        return False
    known = values[np.isfinite(values.astype(float))]
    return len(known) > 0 and bool(np.ptp(known.astype(float)) > 0)


def _candidate(fit: Judged, scores: Scores, k: int, coefficient: str, name: str) -> Candidate:
    """Judge a variable for the k-th random coefficient, on the units that have a value."""
    values = np.asarray(level2_values(fit, name), dtype=float)
    ok = np.isfinite(values)
    w = np.where(ok, values, 0.0)
    w[ok] -= w[ok].mean()
    spread = float(w @ w)
    if spread <= 1e-20 * float(values[ok] @ values[ok]) or ok.sum() < 4:
        raise OutputError(f"{name} is constant in the units analysed: it can explain nothing")
    u = np.where(ok, scores.u[:, k], 0.0)
    u[ok] -= u[ok].mean()
    slope = float(w @ u) / spread
    se = float(np.sqrt(np.sum((u - slope * w) ** 2) / (ok.sum() - 2) / spread))
    t = slope / se if se > 0 else float("nan")
    effect, effect_se = scores.effect(k, w)
    chi2 = (effect / effect_se) ** 2
    spelled = next(n for n in level2_names(fit) if n.lower() == name.lower())
    p_value = float(chdtrc(1.0, chi2))
    return Candidate(
        coefficient, spelled, int(ok.sum()), slope, se, t, effect, effect_se, chi2, p_value
    )  # fmt: skip


def scores_of(fit: Estimates) -> Scores:
    """Give what the candidates of a normal outcome are judged by, from moments."""
    design, q = fit.design, fit.design.n_random
    de = design.standard_residual(fit.gamma_free)[0]
    theta = to_standard(fit.system, fit.entering.tau, fit.entering.sigma2)[0]
    products = design.standard_dd.transpose(2, 0, 1)
    taken = products[:, :, :q] @ design.shrinkage(theta)  # D'Z K
    own = products - taken @ products[:, :q]
    columns = np.linalg.inv(design.bases.basis)[:, :q].T
    score = de - np.einsum("jpq,jq->jp", taken, de[:, :q])
    u, shared = residuals_u(fit, de), own @ design.standard_x()
    return Scores(u, columns, score, own, shared, fit.vcov_white, fit.entering.sigma2)
