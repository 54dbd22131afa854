"""The tests a command file asks for, as the listing prints them; one that cannot be had becomes a warning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ..errors import HLMError
from ..estimation.estimates import Estimates
from ..hlm_files.command_options import Options
from ..hypotheses.wald import wald
from ..inference import homogeneity
from ..inference.compare import compare_stored
from ..inference.least_squares import loglik_on_hlms_constant
from ..report.collect import chi_square
from ..report.header import shown
from ..report.tables import ChiSquare, Hypothesis, NoteGroup
from ..residuals.exploratory import Candidate, Exploration, explore
from ..words import p_text

COMPARISON = "the comparison (deviance:, df:)"
HOMOGENEITY = "the test of homogeneity of level-1 variance (homvar:)"
EXPLORATION = "the exploratory analysis"


@dataclass(frozen=True, slots=True)
class Asked:
    """Results for the fields of `Run` of the same names, and what to warn of."""

    hypotheses: tuple[Hypothesis, ...] = ()
    comparison: ChiSquare | None = None
    homogeneity: ChiSquare | None = None
    notes: tuple[NoteGroup, ...] = ()
    exploration: tuple[Candidate, ...] = ()
    warnings: tuple[str, ...] = ()


def asked_tests(fit: Estimates, options: Options) -> Asked:
    """Do the tests of ``hypoth:``/``gammaN:``, ``deviance:``/``df:`` and ``homvar:``."""
    sentences: list[str] = []
    warnings: list[str] = []
    names = [f"hypothesis {k} (gamma{k}:)" for k in range(1, len(options.hypotheses) + 1)]
    asked: dict[str, Callable[[], Any]] = {
        name: partial(hypothesis, fit, rows, sentences, options.hlm)
        for name, rows in zip(names, options.hypotheses, strict=True)
    }
    if options.deviance is not None and options.df is not None:
        asked[COMPARISON] = partial(compared, fit, options, sentences, warnings)
    if options.homogeneity:
        asked[HOMOGENEITY] = partial(homogeneous, fit, sentences, options.hlm)
    if options.explore:
        asked[EXPLORATION] = partial(_explored, fit, options)
    found = attempted(asked, warnings)
    notes: tuple[NoteGroup, ...] = (NoteGroup("Tests", tuple(sentences)),) if sentences else ()
    explored = found.get(EXPLORATION, Exploration(()))
    notes += (NoteGroup("Exploratory analysis", explored.sentences),) if EXPLORATION in found else ()
    return Asked(
        tuple(found[name] for name in names if name in found), found.get(COMPARISON), found.get(HOMOGENEITY),
        notes, explored.candidates, tuple(warnings),
    )  # fmt: skip


def attempted(asked: Mapping[str, Callable[[], Any]], missed: list[str]) -> dict[str, Any]:
    """Do tests by what they are called; give what they gave, and say in ``missed`` which failed, and why."""
    found = {}
    for what, test in asked.items():
        try:
            found[what] = test()
        except HLMError as error:
            missed.append(f"{what} was not done: {error}")
    return found


def not_of_variances(options: Options) -> list[str]:
    """Say which tests an outcome that is not normal has not, for a row's variance follows from its mean."""
    why = "of an outcome that is not normal a row's variance follows from its mean"
    return [f"{HOMOGENEITY} was not done: {why}"] if options.homogeneity else []


def asked_of_pql(fit: Estimates, options: Options) -> Asked:
    """Do the tests that quasi-likelihood has, on its last working model: those without a deviance."""
    missed = not_of_variances(options)
    if options.deviance is not None:
        missed.append(
            f"{COMPARISON} was not done: quasi-likelihood has no deviance; --algorithm exact has one"
        )
    asked = asked_tests(fit, replace(options, homogeneity=False, deviance=None, df=None))
    return replace(asked, warnings=(*missed, *asked.warnings))


def _explored(fit: Estimates, options: Options) -> Exploration:
    """Judge the candidates of each coefficient that has them."""
    each = [explore(fit, names, coefficients=name).candidates for name, names in options.explore.items()]
    return Exploration(tuple(candidate for found in each for candidate in found))


def hypothesis(fit: Estimates, rows: Sequence[Sequence[float]], sentences: list[str], hlm: str) -> Hypothesis:
    """Test one hypothesis, each row of which has one number for every gamma of the model."""
    matrix = np.array(rows, dtype=float)
    test: Any = wald(fit, matrix, robust=True)  # one hypothesis, one test
    names = list(fit.model.gamma_names)
    held = {name: names_of_set for names_of_set in fit.model.constraints for name in names_of_set}
    columns = {name: [names.index(n) for n in held.get(name, (name,))] for name, *_ in shown(fit.model)}
    summed = {name.upper(): matrix[:, k].sum(axis=1).tolist() for name, k in columns.items()}
    contrasts = tuple((name, tuple(values)) for name, values in summed.items())
    sentences.append(f"The general linear hypothesis that {test.hypothesis} uses the {test.covariance}.")
    chi2 = chi_square(float(test.chi2), float(test.df), fit, decimals=6, hlm=hlm)
    return Hypothesis(contrasts, chi2, test.covariance)


def compared(fit: Estimates, options: Options, sentences: list[str], warnings: list[str]) -> ChiSquare:
    """Compare with the model whose deviance and number of parameters the command file has."""
    stored, count = float(options.deviance or 0.0), int(options.df or 0)
    test = compare_stored(fit, stored, count, hlms_constant=True)
    sentences += [f"Comparison with the stored model: {note}" for note in test.notes]
    hlms = -2.0 * loglik_on_hlms_constant(fit)
    if abs(hlms - fit.deviance) > 0.01:
        full = compare_stored(fit, stored, count)
        warnings.append(
            "the comparison (deviance:, df:) takes the stored deviance as one that HLM printed, and this "
            f"model's on HLM's constant, {hlms:.6f}. If it has the full constant, as lme4, SAS and "
            f"--algorithm exact print it, chi-square is {full.chi2:.5f}, {p_text(full.p_value)}"
        )
    if test.chi2 < 0:
        warnings.append(
            "the comparison (deviance:, df:) means nothing: the model with more parameters has the larger "
            "deviance, so the two are not nested or are not of the same data and method"
        )
    return chi_square(float(test.chi2), float(test.df), fit, hlm=options.hlm)


def homogeneous(fit: Estimates, sentences: list[str], hlm: str) -> ChiSquare:
    """Test that all units have one level-1 variance."""
    test = homogeneity.homogeneity(fit)
    sentences.append(
        f"Homogeneity of level-1 variance: {test.n_units} units took part. Bartlett's test, which keeps its "
        f"level in small units too: chi-square {test.bartlett_chi2:.5f} on {test.df} d.f., "
        f"p-value {test.bartlett_p_value:.3f}."
    )
    sentences += test.notes
    return chi_square(float(test.chi2), float(test.df), fit, hlm=hlm)
