"""Deviance comparison of two fits, or of a fit with a stored deviance.

HLM compares any two deviances it is given. Here two fits are compared only where the likelihoods are of
the same data: same rows, same method, under REML the same fixed effects. Beside HLM's chi-square p-value
stands the one that knows that variances cannot be negative (`boundary.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import chdtrc

from ..arguments import accepted
from ..errors import HypothesisError
from ..estimation.estimates import Estimates
from ..hglm.estimates import GeneralizedEstimates
from ..labels import Sentence
from ..laws.law import Need
from ..words import p_text
from .bootstrap import deviance_p_value
from .bootstrapped import Progress
from .boundary import boundary_p_value
from .least_squares import loglik_on_hlms_constant
from .same_data import Fitted, not_nested, refuse_different_data, refuse_different_likelihood


@dataclass(frozen=True, slots=True, repr=False)
class DevianceTest(Sentence):
    """The comparison of a model with a more general one; of the simpler model in ``deviances`` first.

    ``chi2``: the difference of the deviances; ``df``: of the numbers of parameters; ``p_value``: chi-square
    tail, as HLM prints it; ``p_boundary``: tail of the chi-bar-square mixture where variances are tested,
    equal to ``p_value`` where no variance is, None where it is not available (``notes`` says why);
    ``p_bootstrap``: share of data sets simulated from the simpler model whose difference is as large, where
    asked for.
    """

    chi2: float
    df: int
    p_value: float
    p_boundary: float | None
    deviances: tuple[float, float]
    n_parameters: tuple[int, int]
    notes: tuple[str, ...] = ()
    p_bootstrap: float | None = None

    def __str__(self) -> str:
        simple, general = self.deviances
        lines = [
            f"Deviance {simple:.6f} ({self.n_parameters[0]} parameters) against {general:.6f} "
            f"({self.n_parameters[1]}): chi-square = {self.chi2:.5f} on {self.df} d.f., "
            f"{p_text(self.p_value)}"
        ]
        if self.p_boundary is not None and self.p_boundary != self.p_value:
            allowing = "Allowing for variances that cannot be negative (chi-bar-square)"
            lines.append(f"{allowing}: {p_text(self.p_boundary)}")
        if self.p_bootstrap is not None:
            lines.append(f"Parametric bootstrap: {p_text(self.p_bootstrap)}")
        return "\n".join([*lines, *self.notes])


def compare(
    fit: Fitted, other: Fitted, *, bootstrap: int = 0, seed: int | None = None,
    progress: Progress | None = None,
) -> DevianceTest:  # fmt: skip
    """Compare the deviances of two fits, in either order.

    Parameters
    ----------
    bootstrap : int
        Data sets to simulate from the simpler model and to fit both models to, for a p-value that relies
        on no large sample; 0 for none. It is also there where the simpler model is on the boundary.
    seed, progress
        As for `Fit.bootstrap`.

    Raises
    ------
    HypothesisError
        Different rows, outcome, method or algorithm, REML fits with different fixed effects, or as many
        parameters in both.
    """
    refuse_different_data(fit, other)
    refuse_different_likelihood(fit, other)
    simple, general = sorted((fit, other), key=lambda f: f.n_parameters)
    df = general.n_parameters - simple.n_parameters
    if df == 0:
        raise HypothesisError(
            f"both models have {_count(fit.n_parameters)}: neither is a special case of the other, "
            "so their deviances cannot be tested against each other"
        )
    chi2 = simple.deviance - general.deviance
    notes = [f"Simpler model: {w}" for w in simple.warnings]
    notes += [f"General model: {w}" for w in general.warnings]
    if chi2 < -1e-9 * abs(general.deviance):
        notes.append(
            "The model with more parameters has the larger deviance: the models are not nested, or an "
            "estimation stopped before its optimum; the test means nothing."
        )
    else:
        chi2 = max(chi2, 0.0)
    p = float(chdtrc(df, max(chi2, 0.0)))
    p_boundary, p_bootstrap = None, None
    missing = not_nested(simple, general)
    if missing:
        notes.append(missing)
        if bootstrap:
            notes.append("There is no bootstrap: it simulates from the simpler model, within the other.")
    else:
        p_boundary, note = boundary_p_value(simple, general, max(chi2, 0.0), df)
        notes += [note] if note else []
        if bootstrap:
            p_bootstrap, n = _bootstrap(simple, general, max(chi2, 0.0), bootstrap, seed, progress)
            notes.append(f"The bootstrap has {n} data sets simulated from the simpler model (seed {seed}).")
    return DevianceTest(
        chi2, df, p, p_boundary, (simple.deviance, general.deviance),
        (simple.n_parameters, general.n_parameters), tuple(notes), p_bootstrap,
    )  # fmt: skip


def _bootstrap(simple: Fitted, general: Fitted, *asked: Any) -> tuple[float, int]:
    """Give the p-value by simulation and its number of data sets: both fits are of one outcome."""
    if isinstance(simple, GeneralizedEstimates) and isinstance(general, GeneralizedEstimates):
        from .bootstrap_generalized import generalized_p_value  # with all that estimates such outcomes

        return generalized_p_value(simple, general, *asked)
    assert isinstance(simple, Estimates)
    assert isinstance(general, Estimates)
    return deviance_p_value(simple, general, *asked)


def compare_stored(
    fit: Fitted, deviance: float, n_parameters: int, *, hlms_constant: bool = False
) -> DevianceTest:
    """Compare with a deviance and a number of parameters from elsewhere (HLM's ``deviance:`` and ``df:``).

    Nothing can be checked; the result says so. ``hlms_constant``: HLM printed the stored deviance, so this
    fit's is taken on HLM's constant too.

    Raises
    ------
    HypothesisError
        As many parameters in both, or numbers that cannot be a deviance and a count.
    """
    fit.require("a test of deviances", Need.LIKELIHOOD)
    n = fit.n_rows - fit.design.n_fixed * (fit.method == "REML")
    numbers = all(isinstance(v, int | float | np.number) for v in (deviance, n_parameters))
    if not numbers or not np.isfinite(deviance) or n_parameters != int(n_parameters) or n_parameters < 1:
        raise HypothesisError(
            f"a stored model needs its deviance and its number of parameters, got {deviance!r} "
            f"and {n_parameters!r}"
        )
    own = fit.deviance
    if hlms_constant and isinstance(fit, Estimates):
        own = -2.0 * loglik_on_hlms_constant(fit)
    here, there = (own, fit.n_parameters), (float(deviance), int(n_parameters))
    simple, general = sorted((here, there), key=lambda pair: pair[1])
    df = general[1] - simple[1]
    if df == 0:
        raise HypothesisError(
            f"the stored model and this one both have {_count(fit.n_parameters)}: there is nothing to test"
        )
    notes = [
        "The stored model cannot be checked: it must have been fitted to the same rows by the same method "
        f"({fit.method}), be nested with this one"
        + (", and have the same fixed effects." if fit.method == "REML" else ".")
    ]
    if not hlms_constant and isinstance(fit, Estimates) and fit.algorithm == "exact" and n % 2:
        notes.append(
            "Deviances that HLM 6 printed for data of this size are 1.838 below the true ones: compare with "
            'those under algorithm="hlm" only.'
        )
    chi2 = simple[0] - general[0]
    if chi2 < 0:
        notes.append(
            "The model with more parameters has the larger deviance: these models are not nested or were not "
            "estimated in the same way; the test means nothing."
        )
    return DevianceTest(
        chi2, df, float(chdtrc(df, max(chi2, 0.0))), None, (simple[0], general[0]),
        (simple[1], general[1]), tuple(notes),
    )  # fmt: skip


def compare_any(
    fit: Fitted, other: Fitted | None, deviance: float | None, n_parameters: int | None, **options: Any
) -> DevianceTest:
    """Compare with a fit or with a stored deviance, whichever was given."""
    if other is not None and deviance is None and n_parameters is None:
        return compare(fit, other, **accepted(compare, options, "compare"))
    if other is None and deviance is not None and n_parameters is not None and not options:
        return compare_stored(fit, deviance, n_parameters)
    raise HypothesisError(
        "give another fit, compare(other), or a stored deviance with its number of parameters, "
        "compare(deviance=46501.88, n_parameters=4)"
    )


def _count(n: int) -> str:
    return f"{n} parameter{'s' if n > 1 else ''}"
