"""What a report says beyond HLM's tables: intervals, shares, sentences, ranges, checks, a methods paragraph.

Plain values, as `tables.Tables` are; what a model cannot have is empty.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from ..derived.intraclass import AT_ZERO, IntraclassCorrelation, icc
from ..derived.plausible import PlausibleRange, plausible_range
from ..derived.r2 import PARTS, R2, r2
from ..diagnostics.checks import check
from ..equations.model import TwoLevelModel
from ..equations.names import INTERCEPT, component_names
from ..errors import HLMError
from ..estimation.estimates import Estimates
from ..inference.covariances import table_kind
from ..inference.hlm_tables import variance_components
from ..inference.intervals import EffectRow, alpha_rows, effect_rows
from ..inference.profile import intervals
from ..version import __version__
from .sentences import Told, figures, listed, sentences, signed

PROB = 0.95
SOFTWARE = (
    f"The hlmbayes developers (2026). hlmbayes: two-level hierarchical linear models (version {__version__}) "
    "[Computer software]."
)
BOOK = (
    "Raudenbush, S. W., & Bryk, A. S. (2002). Hierarchical linear models: Applications and data analysis "
    "methods (2nd ed.). Sage."
)
SLOPES = "With random slopes the ICC is that of rows whose level-1 predictors with random slopes are zero."
MARGINAL = "the share of the outcome's variance that the fixed effects explain"
CONDITIONAL = "the share that fixed and random effects explain together"
R2_SOURCE = (
    "Rights, J. D., & Sterba, S. K. (2019). Quantifying explained variance in multilevel models: An "
    "integrative framework for defining R-squared measures. Psychological Methods, 24(3), 309\u2013338."
)


@dataclass(frozen=True, slots=True)
class ComponentRow:
    """A standard deviation of random effects, or of level 1, with its limits (nan: none), and variance.

    The limits are those of ``at_optimum``, the standard deviation at the optimum of the likelihood: another
    one where the estimates are HLM's, which stops before.
    """

    code: str
    name: str
    sd: float
    low: float
    high: float
    variance: float
    at_optimum: float


@dataclass(frozen=True, slots=True)
class Share:
    """A share of the outcome's variance and its limits (nan: none); ``words`` say what it is."""

    name: str
    value: float
    low: float
    high: float
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """A check of an assumption: whether nothing calls for a closer look, and why."""

    name: str
    ok: bool
    verdict: str


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything beyond HLM's tables; ``basis`` says what the standard errors are.

    ``level1_variance``: the coefficients of log(sigma2), and ``spread`` what they say, where there are any.
    """

    model: TwoLevelModel
    effects: tuple[EffectRow, ...]
    level1_variance: tuple[EffectRow, ...]
    components: tuple[ComponentRow, ...]
    basis: str
    shares: tuple[Share, ...]
    variance_parts: tuple[Share, ...]
    told: tuple[Told, ...]
    spread: tuple[str, ...]
    plausible: tuple[str, ...]
    checks: tuple[Verdict, ...]
    methods: str
    references: tuple[str, ...]
    notes: tuple[str, ...] = ()


def findings(fit: Estimates) -> Findings:
    """Gather what a report says beyond HLM's tables."""
    shares, parts, notes = _shares(fit)
    kind = table_kind(fit, None, None).words
    cited = (BOOK, *((R2_SOURCE,) if parts else ()), SOFTWARE)
    return Findings(
        fit.design.terms.written or fit.model, effect_rows(fit, prob=PROB), alpha_rows(fit, prob=PROB),
        _components(fit), kind, shares, parts, sentences(fit, PROB), spread_told(fit),
        _plausible(fit), _checks(fit), methods(fit), cited, notes,
    )  # fmt: skip


def _components(fit: Estimates) -> tuple[ComponentRow, ...]:
    names, limits = component_names(fit.model.coefficients), {}
    with suppress(HLMError):
        limits = {row.parameter: (row.low, row.high, row.estimate) for row in intervals(fit, prob=PROB)}
    none = (float("nan"),) * 3
    found = []
    for row in variance_components(fit):
        key = "sigma" if row.name == "r" else f"sd[b{row.name[1:]}]"
        low, high, best = limits.get(key, none)
        found.append(ComponentRow(row.name, names[row.name], row.sd, low, high, row.variance, best))
    return tuple(found)


def _shares(fit: Estimates) -> tuple[tuple[Share, ...], tuple[Share, ...], tuple[str, ...]]:
    """Give the ICC and R-squared, the parts of the variance, and notes on both."""
    shares, notes, r = shares_of(lambda: icc(fit, prob=PROB), lambda: r2(fit))
    nan = float("nan")
    parts = () if r is None else (Share(name, r.share([name]), nan, nan, PARTS[name][1]) for name in PARTS)
    return tuple(shares), tuple(parts), tuple(notes)


def shares_of(
    icc_of: Callable[[], object], r2_of: Callable[[], R2]
) -> tuple[list[Share], list[str], R2 | None]:
    """Give the intraclass correlation and R-squared where there are any, notes on them, and the R-squared."""
    shares, notes, r, nan = [], [], None, float("nan")
    with suppress(HLMError):
        found = icc_of()
        if isinstance(found, IntraclassCorrelation):
            shares.append(Share("ICC", found.icc, found.low, found.high, icc_words(found)))
            notes += [SLOPES if note == AT_ZERO else note for note in found.notes]
    with suppress(HLMError):
        r = r2_of()
        shares.append(Share("Marginal R\u00b2", r.marginal, nan, nan, MARGINAL))
        shares.append(Share("Conditional R\u00b2", r.conditional, nan, nan, CONDITIONAL))
        notes += r.notes
    return shares, notes, r


def icc_words(found: IntraclassCorrelation) -> str:
    """Say what an intraclass correlation is."""
    kind = "of two alike on the predictors" if found.conditional else "of two of one unit"
    return f"the correlation {kind}: the share of variance between units{found.where}"


def spread_told(fit: Estimates) -> tuple[str, ...]:
    """Say by what one unit more of each variable of log(sigma2) multiplies the level-1 variance."""
    labels = {} if fit.data is None else fit.data.labels
    found = []
    for row in alpha_rows(fit, prob=PROB)[1:]:
        label = labels.get(row.name.lower(), "")
        name = row.name if label.lower() in ("", row.name.lower()) else f"{label} ({row.name})"
        with np.errstate(over="ignore", under="ignore"):
            times, *ends = np.exp([row.estimate, row.low, row.high]).tolist()
        if not figures(times) or np.isnan(ends).any():  # no number that says anything: the table has its log
            continue
        times = figures(times)
        low, high = (figures(end) or ("0" if end < 1 else "any size") for end in ends)
        open_ = ", which leaves the direction open" if row.low < 0 < row.high else ""
        found.append(
            f"With one unit more in {name} the level-1 variance is {times} times as large "
            f"({100 * PROB:g} % interval {low} to {high}{open_})."
        )
    return tuple(found)


def _plausible(fit: Estimates) -> tuple[str, ...]:
    found = []
    for code in fit.random_names:
        with suppress(HLMError):
            found.append(_range_told(plausible_range(fit, code, prob=PROB)))
    return tuple(found)


def _range_told(found: PlausibleRange) -> str:
    """Say a plausible range in words."""
    what = "an intercept" if found.name == INTERCEPT else f"a slope of {found.name}"
    places = [f"{name} at {signed(value)}" for name, value in found.at.items()]
    where = f", with {listed(places)}" if places else ""
    if found.sd == 0:
        return f"All units have {what} of {signed(found.center)}{where}: its variance is estimated as zero."
    share = f"{100 * found.prob:g} % of units have {what}"
    return f"{share} between {signed(found.low)} and {signed(found.high)}{where}."


def _checks(fit: Estimates) -> tuple[Verdict, ...]:
    try:
        return tuple(Verdict(c.name, bool(c.ok), c.verdict) for c in check(fit))
    except HLMError:
        return ()


def methods(fit: Estimates) -> str:
    """Write the paragraph on the method that a paper needs."""
    model, law = fit.model, fit.law
    random = [names for names in component_names(model.coefficients).items() if "," not in names[0]]
    effects = [name for code, name in random if code != "r"]
    kind = "restricted maximum likelihood" if fit.method == "REML" else "full maximum likelihood"
    counts = f"{fit.n_rows:,.0f} level-1 records in {fit.n_units:,} level-2 units"
    said = [f"A two-level linear model of {model.outcome} was fitted to {counts} by {kind} ({fit.method})"]
    said[0] += (
        f" with hlmbayes {__version__}, at the optimum of the criterion."
        if fit.algorithm == "exact"
        else f" with hlmbayes {__version__}, which stopped where HLM's algorithm stops."
    )
    if effects:
        free = "with all covariances" if fit.design.pattern.full else "with some covariances fixed at zero"
        free = "" if len(effects) == 1 else f", {free},"
        said.append(f"Random effects of units{free} were those of: {', '.join(effects)}.")
    said += centred(model)
    if law.sentence:
        said.append(law.sentence)
    if law.alphas[1:]:
        names_of_variance = listed([a.variable for a in law.alphas[1:]])
        said.append(f"The logarithm of the level-1 variance was a linear function of {names_of_variance}.")
    kinds = table_kind(fit, None, None)
    said.append(f"Standard errors come from the {kinds.words}; tests of fixed effects are t tests.")
    if not fit.converged:
        said.append("THE ESTIMATION HAS NOT CONVERGED: these results are not to be reported.")
    return " ".join(said)


def centred(model: TwoLevelModel) -> list[str]:
    """Say which predictors were centred, and how."""
    said = []
    words = {"group": "centred about the means of the units", "grand": "centred about the grand mean"}
    predictors = [*(c.predictor for c in model.coefficients), *(g.predictor for g in model.gammas)]
    for how, text in words.items():
        names = list(dict.fromkeys(str(p.variable) for p in predictors if p.centering == how))
        if names:
            said.append(f"{', '.join(names)} {'was' if len(names) == 1 else 'were'} {text}.")
    return said
