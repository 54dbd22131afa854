"""What a researcher should know before using the numbers, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from ..estimation.estimates import Estimates
from ..likelihood.design import Design
from .tables import AlphaRow, ChiSquare, FixedRow, NoteGroup, VarianceRow, p_text

MOST_UNITS = 12


def remarks(
    fit: Estimates, rows: tuple[FixedRow, ...], warnings: Iterable[str] = (), not_done: Iterable[str] = ()
) -> tuple[NoteGroup, ...]:
    """Return the notes of a fit: warnings, data, estimation, numbers too small for their columns.

    ``not_done`` is what was asked for beside the numbers: it must be named, but does not touch them.
    """
    groups = [
        _warnings("read this before using the numbers", (*fit_warnings(fit), *warnings)),
        _warnings("asked for and not done", not_done),
        NoteGroup("Data", _data(fit)),
        *(NoteGroup(p.heading, (p.sentence,)) for p in (fit.law, fit.counting) if p.sentence),
        NoteGroup("Estimation", _estimation(fit)),
        _small_numbers(fit, rows),
    ]
    return tuple(group for group in groups if group is not None)


def _warnings(heading: str, texts: Iterable[str]) -> NoteGroup | None:
    sentences = tuple(_sentence(text) for text in texts)
    return NoteGroup(heading, sentences, warning=True) if sentences else None


def fit_warnings(fit: Estimates) -> tuple[str, ...]:
    """Return the fit's warnings, the one about convergence with what to do."""
    if fit.converged:
        return fit.cautions
    # with unequal level-1 variances the count is of the last round only
    after = f" after {fit.iterations} iterations" if fit.law.one_sigma2 else ""
    advice = (
        f"The estimation has not converged{after}: the tables are those of the "
        "last iteration, not of a solution. Allow more iterations (numit: in the command file) or use "
        "--algorithm exact."
    )
    return (advice, *fit.cautions)


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else text + "."


def _data(fit: Estimates) -> tuple[str, ...]:
    design, moments = fit.design, fit.design.moments
    n = moments.n
    sentences = [
        f"{fit.n_rows:.0f} level-1 records in {fit.n_units} level-2 units were analysed, {_range(n)} a unit."
    ]
    if moments.n_dropped:
        of, names = f"{moments.n_dropped} of {fit.n_rows + moments.n_dropped:.0f}", ", ".join(moments.columns)
        missing = f"a value of {names}" if len(moments.columns) == 1 else f"one or more values of {names}"
        was = "was left out: it lacks" if moments.n_dropped == 1 else "were left out: they lack"
        sentences.append(f"{of} level-1 records {was} {missing}.")
    sentences += [_sentence(note) for note in moments.notes]
    left_out = design.unit_ids[~design.full_rank]
    if len(left_out) and design.n_random:
        units = f"{len(left_out)} unit{'s' if len(left_out) > 1 else ''}"
        sentences.append(
            f"{units} cannot give a regression of their own (too few rows, or a predictor that "
            f"does not vary in them{_rule(design)}): {_some(left_out)}. They count in the estimation; "
            "reliabilities, chi-squares, OLS listings and HLM's starting values leave them out."
        )
    return tuple(sentences)


def _rule(design: Design) -> str:
    """Name HLM's rule where it leaves units out."""
    if np.isinf(design.most_condition):
        return ""
    number = f"{design.most_condition:.0e}".replace("e+0", "e")
    return f", or hardly beside its size: HLM's rule, a condition number of X'X of {number} or more"


def _range(n: np.ndarray) -> str:
    return f"{n.min():.0f}" if n.min() == n.max() else f"{n.min():.0f} to {n.max():.0f}"


def _some(ids: np.ndarray) -> str:
    text = ", ".join(f"{i:g}" if isinstance(i, (float, np.floating)) else str(i) for i in ids[:MOST_UNITS])
    return text + (f" and {len(ids) - MOST_UNITS} more" if len(ids) > MOST_UNITS else "")


def _estimation(fit: Estimates) -> tuple[str, ...]:
    if fit.start is None and (fit.law.without_path(fit.n_rows) or fit.counting.without_path(fit.n_rows)):
        pseudo = "pseudo-" if fit.counting.pseudo else ""
        return (f"Algorithm: exact. The tables are at the optimum of the {fit.method} {pseudo}likelihood.",)
    if fit.start is None:
        return (
            f"Algorithm: exact. The tables are at the optimum of the {fit.method} likelihood, as in lme4, "
            "SAS and Stata. HLM 6.08 may stop earlier: --algorithm hlm follows it.",
        )
    start = fit.start
    names = [c.predictor.variable or "INTRCPT1" for c in fit.model.coefficients if c.random]
    raw, tau = np.diag(start.tau_raw), np.diag(start.tau)
    values = "".join(f"; tau {name} {value:.5f}" for name, value in zip(names, tau, strict=True))
    sentences = [
        f"Algorithm: hlm, the steps of HLM 6.08. Started from sigma squared {start.sigma2:.5f}{values}."
    ]
    if not fit.design.pattern.full:
        sentences.append(
            "Its steps were taken in the free elements of tau: HLM 6.08 itself has all covariances."
        )
    mended = [
        f"{name} ({value:.5f}; {new:.5f} took its place)"
        for name, value, new in zip(names, raw, tau, strict=True)
        if value <= 0
    ]
    if mended:
        sentences.append(
            f"The first estimate of tau was not usable for {', '.join(mended)}: as HLM does, a fifth of the "
            "spread of the units' own coefficients."
        )
    if np.any((raw > 0) & (raw != tau)):
        sentences.append(
            "The first estimate of tau was not positive definite; as HLM does, a small diagonal took its "
            "place."
        )
    return tuple(sentences)


def _small_numbers(fit: Estimates, rows: tuple[FixedRow, ...]) -> NoteGroup | None:
    """Name numbers that HLM's fixed decimals show with fewer than three figures."""
    small = [f"{row.gamma} {row.estimate:.6g} (s.e. {row.se:.6g})" for row in rows if 0 < row.se < 1e-4]
    tau = np.diag(fit.components.tau)
    names = [c.effect.upper() for c in fit.model.coefficients if c.random]
    small += [f"variance of {name} {v:.6g}" for name, v in zip(names, tau, strict=True) if 0 < v < 1e-3]
    if 0 < fit.sigma2 < 1e-3:
        small.append(f"sigma squared {fit.sigma2:.6g}")
    if not small:
        return None
    return NoteGroup("Numbers too small for the columns above", (f"In full: {'; '.join(small)}.",))


def no_df(rows: tuple[FixedRow, ...], hlm: str) -> tuple[NoteGroup, ...]:
    """Warn where HLM 7's rule, which takes a coefficient a unit for each random one, leaves nothing."""
    names = [row.gamma for row in rows if row.df <= 0]
    if not names or hlm == "6":
        return ()
    sentence = (
        f"HLM 7's rule, N - qJ - fixed slopes, gives {', '.join(names)} no degrees of freedom: there are no "
        "p-values. HLM 6's has N - F (--hlm 6); Satterthwaite's are estimated (df of fixed_effects)."
    )
    return (NoteGroup("Degrees of freedom", (sentence,), warning=True),)


def odd_p_values(
    fixed: tuple[FixedRow, ...],
    robust: tuple[FixedRow, ...],
    components: tuple[VarianceRow, ...],
    tests: Mapping[str, ChiSquare | AlphaRow],
) -> tuple[NoteGroup, ...]:
    """Name the p-values that HLM's approximations print differently from the accurate ones.

    ``tests`` are those that follow the tables, by name; those of hypotheses are printed with six decimals.
    """
    pairs = [(row.gamma, row.p, row.p_text, False) for row in fixed]
    pairs += [(f"{row.gamma} with robust standard error", row.p, row.p_text, False) for row in robust]
    pairs += [(row.effect, row.p, row.p_text or "", True) for row in components if row.p is not None]
    pairs += [(name, test.p, test.p_text, True) for name, test in tests.items()]
    odd = []
    for name, p, text, chi2 in pairs:
        six = len(text) > len("0.000")
        if text != (f"{p:.6f}" if six else p_text(p, chi_square=chi2)):
            odd.append(f"{name}: {p:.{6 if six else 5}f}, printed {text}")
    if not odd:
        return ()
    sentences = (
        "HLM computes p-values by approximations that can be off by 0.001 in print, those of chi-squares "
        "with 1 or 2 d.f. by up to 0.016; the tables above have HLM's. Accurately: "
        f"{'; '.join(odd)}.",
        "The JSON output and --algorithm exact have accurate p-values throughout.",
    )
    return (NoteGroup("p-values", sentences),)
