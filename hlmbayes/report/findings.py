"""What a report says beyond HLM's tables: intervals, shares, sentences, ranges, checks, a methods paragraph.

Plain values, as `tables.Tables` are; what a model cannot have is empty.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from ..derived.intraclass import AT_ZERO, IntraclassCorrelation, icc
from ..derived.plausible import PlausibleRange, plausible_range
from ..derived.r2 import PARTS, r2
from ..diagnostics.checks import check
from ..equations.model import TwoLevelModel
from ..equations.names import INTERCEPT, component_names
from ..errors import HLMError
from ..estimation.estimates import Estimates
from ..inference.covariances import table_kind
from ..inference.hlm_tables import fixed_effects, variance_components
from ..inference.intervals import fixed_intervals
from ..inference.profile import intervals
from ..version import __version__
from .sentences import Told, listed, sentences, signed

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
R2_SOURCE = (
    "Rights, J. D., & Sterba, S. K. (2019). Quantifying explained variance in multilevel models: An "
    "integrative framework for defining R-squared measures. Psychological Methods, 24(3), 309\u2013338."
)


@dataclass(frozen=True, slots=True)
class EffectRow:
    """A fixed effect: ``code`` g01, ``name``, estimate, standard error, limits, d.f., p-value."""

    code: str
    name: str
    estimate: float
    se: float
    low: float
    high: float
    df: float
    p: float


@dataclass(frozen=True, slots=True)
class ComponentRow:
    """A standard deviation of random effects, or of level 1, with its limits (nan: none), and variance."""

    code: str
    name: str
    sd: float
    low: float
    high: float
    variance: float


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
    """Everything beyond HLM's tables; ``basis`` says what the standard errors are."""

    model: TwoLevelModel
    effects: tuple[EffectRow, ...]
    components: tuple[ComponentRow, ...]
    basis: str
    shares: tuple[Share, ...]
    variance_parts: tuple[Share, ...]
    told: tuple[Told, ...]
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
        fit.design.terms.written or fit.model, _effects(fit), _components(fit), kind, shares, parts,
        sentences(fit, PROB),
        _plausible(fit), _checks(fit), methods(fit), cited, notes,
    )  # fmt: skip


def _effects(fit: Estimates) -> tuple[EffectRow, ...]:
    rows = fixed_effects(fit, table_kind(fit, None, None))
    names = fit.model.fixed_parameters.name_of
    limits = fixed_intervals(fit, prob=PROB)
    return tuple(
        EffectRow(r.name, names[r.name], r.coefficient, r.se, limit.low, limit.high, r.df, r.p_value)
        for r, limit in zip(rows, limits, strict=True)
    )


def _components(fit: Estimates) -> tuple[ComponentRow, ...]:
    names, limits = component_names(fit.model.coefficients), {}
    with suppress(HLMError):
        limits = {row.parameter: (row.low, row.high) for row in intervals(fit, prob=PROB)}
    none = float("nan"), float("nan")
    found = []
    for row in variance_components(fit):
        key = "sigma" if row.name == "r" else f"sd[b{row.name[1:]}]"
        low, high = limits.get(key, none)
        found.append(ComponentRow(row.name, names[row.name], row.sd, low, high, row.variance))
    return tuple(found)


def _shares(fit: Estimates) -> tuple[tuple[Share, ...], tuple[Share, ...], tuple[str, ...]]:
    """Give the ICC and R-squared, the parts of the variance, and notes on both."""
    shares, parts, notes, nan = [], [], [], float("nan")
    with suppress(HLMError):
        found = icc(fit, prob=PROB)
        if isinstance(found, IntraclassCorrelation):
            kind = "of two alike on the predictors" if found.conditional else "of two of one unit"
            words = f"the correlation {kind}: the share of variance between units{found.where}"
            shares.append(Share("ICC", found.icc, found.low, found.high, words))
            notes += [SLOPES if note == AT_ZERO else note for note in found.notes]
    with suppress(HLMError):
        r = r2(fit)
        marginal = "the share of the outcome's variance that the fixed effects explain"
        shares.append(Share("Marginal R\u00b2", r.marginal, nan, nan, marginal))
        conditional = "the share that fixed and random effects explain together"
        shares.append(Share("Conditional R\u00b2", r.conditional, nan, nan, conditional))
        parts = [Share(name, r.share([name]), nan, nan, PARTS[name][1]) for name in PARTS]
        notes += r.notes
    return tuple(shares), tuple(parts), tuple(notes)


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
    said += _centred(model)
    if law.sentence:
        said.append(law.sentence)
    kinds = table_kind(fit, None, None)
    said.append(f"Standard errors come from the {kinds.words}; tests of fixed effects are t tests.")
    if not fit.converged:
        said.append("THE ESTIMATION HAS NOT CONVERGED: these results are not to be reported.")
    return " ".join(said)


def _centred(model: TwoLevelModel) -> list[str]:
    said = []
    words = {"group": "centred about the means of the units", "grand": "centred about the grand mean"}
    predictors = [*(c.predictor for c in model.coefficients), *(g.predictor for g in model.gammas)]
    for how, text in words.items():
        names = list(dict.fromkeys(str(p.variable) for p in predictors if p.centering == how))
        if names:
            said.append(f"{', '.join(names)} {'was' if len(names) == 1 else 'were'} {text}.")
    return said
