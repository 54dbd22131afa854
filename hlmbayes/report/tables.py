"""What a listing prints, as plain values: the one source of the text, the HTML page and the JSON.

Nothing here formats and nothing here computes a statistic: `hlmbayes.report.collect.tables` reads a Fit into
`Tables`; `text.listing`, `html.page` and `json_text.document` are pure functions of `Tables`. Matrices are
tuples of tuples, symbols are HLM's (B0, G01, U0), names of variables are as the user wrote them. Rows are
named tuples, which cost a tenth of a data class when the module is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ..residuals.exploratory import Candidate

Matrix = tuple[tuple[float, ...], ...]
Centering = Literal["none", "group", "grand"]


class Level2Term(NamedTuple):
    """A level-2 predictor of one level-1 coefficient: the line ``meanses, G01`` of the header."""

    name: str
    gamma: str
    centering: Centering = "none"


class Level1Term(NamedTuple):
    """A level-1 coefficient of the model: its symbol B0, its predictor, and its level-2 equation."""

    symbol: str
    variable: str
    slope: bool
    random: bool
    terms: tuple[Level2Term, ...]
    centering: Centering = "none"

    @property
    def label(self) -> str:
        """``INTRCPT1`` or ``SES slope``."""
        return f"{self.variable} slope" if self.slope else self.variable

    @property
    def effect(self) -> str:
        """U0 for B0."""
        return "U" + self.symbol[1:]


class Weight(NamedTuple):
    """One line of the weighting table: a weight variable, or None for no weighting."""

    level: str
    variable: str | None = None
    normalized: bool = False


NO_WEIGHTS = (Weight("Level 1"), Weight("Level 2"), Weight("Precision"))


@dataclass(frozen=True, slots=True)
class Header:
    """The specification block: what was asked for, before any result."""

    outcome: str
    coefficients: tuple[Level1Term, ...]
    n_rows: int
    n_units: int
    method: Literal["REML", "ML"]
    max_iterations: int
    title: str = "no title"
    data_source: str = ""
    command_file: str = ""
    output_file: str = ""
    n_rows_in_data: int | None = None  # before rows with missing values were dropped; None: as n_rows
    constraints: tuple[tuple[str, ...], ...] = ()  # ("G02", "G12")
    sigma2_variables: tuple[str, ...] = ()
    heterogeneous: bool = False
    equations: tuple[str, ...] = ()  # as `hlmbayes.Model` reads them
    mixed: str = ""  # the combined model
    tau: str = ""  # in words, which random effects are independent; "" where tau has all covariances
    weights: tuple[Weight, ...] = NO_WEIGHTS
    labels: tuple[tuple[str, str], ...] = ()  # of variables, as the data have them
    hlm: str = "6"  # the version of HLM whose words and order the listing has

    @property
    def random(self) -> tuple[Level1Term, ...]:
        """Coefficients with a random effect, in the order of tau."""
        return tuple(c for c in self.coefficients if c.random)

    @property
    def mixed_terms(self) -> tuple[tuple[tuple[str, str], ...], ...]:
        """The combined model: each coefficient's symbols with what they are multiplied by, then the u."""
        fixed = tuple(tuple((t.gamma, _product(t.name, c)) for t in c.terms) for c in self.coefficients)
        return (*fixed, tuple((c.effect, _product("INTRCPT2", c)) for c in self.random))


def _product(name: str, coefficient: Level1Term) -> str:
    """Return ``MEANSES*SES``; "" of two intercepts."""
    own = () if name == "INTRCPT2" else (name,)
    return "*".join((*own, *((coefficient.variable,) if coefficient.slope else ())))


class FixedRow(NamedTuple):
    """One gamma with its test; `p` is accurate, `p_text` what the listing prints (HLM's own, on its path)."""

    coef: str
    level1: str
    level2: str
    gamma: str
    constrained: bool
    estimate: float
    se: float
    t: float
    df: float
    p: float
    p_text: str


class VarianceRow(NamedTuple):
    """A variance component; the level-1 row has no test (None)."""

    name: str
    effect: str
    sd: float
    variance: float
    df: float | None = None
    chi2: float | None = None
    p: float | None = None
    p_text: str | None = None


class ChiSquare(NamedTuple):
    """A chi-square test."""

    chi2: float
    df: float
    p: float
    p_text: str


class Hypothesis(NamedTuple):
    """A general linear hypothesis: one contrast coefficient per gamma and row, and its Wald test."""

    contrasts: tuple[tuple[str, tuple[float, ...]], ...]  # (("G00", (0.0, 0.0)), ("G01", (1.0, 0.0)), ...)
    test: ChiSquare
    covariance: str = "robust covariance"  # which covariance matrix of the gammas


class AlphaRow(NamedTuple):
    """A coefficient of log(sigma^2)."""

    variable: str
    alpha: str
    estimate: float
    se: float
    z: float
    p: float
    p_text: str


class Heterogeneity(NamedTuple):
    """Results for a heterogeneous level-1 variance, and its comparison with the homogeneous model."""

    macro_iteration: int
    alphas: tuple[AlphaRow, ...]
    homogeneous_deviance: float
    homogeneous_parameters: int
    heterogeneous_deviance: float
    heterogeneous_parameters: int
    comparison: ChiSquare


class MetaAnalysis(NamedTuple):
    """How much studies differ: I2 (per cent) and H2 with their limits, and what a new study's effect may be.

    ``prediction`` is left out where the studies' mean has predictors.
    """

    i2: float
    i2_limits: tuple[float, float]
    h2: float
    h2_limits: tuple[float, float]
    tau2_limits: tuple[float, float]
    typical_variance: float
    prediction: tuple[float, float] | None
    sentences: tuple[str, ...]


class LeastSquares(NamedTuple):
    """OLS of all rows, ignoring the units: printed with fulloutput:y."""

    sigma2: float
    fixed: tuple[FixedRow, ...]
    fixed_robust: tuple[FixedRow, ...]
    loglik: float
    n_parameters: int = 1


class StartingValues(NamedTuple):
    """Starting values; `tau_raw` is tau before HLM's fix-up of a bad diagonal, None where none was needed."""

    sigma2: float
    tau: Matrix
    tau_raw: Matrix | None = None
    fixed: tuple[FixedRow, ...] = ()


class IterationRow(NamedTuple):
    """One line of the iteration log."""

    number: int
    loglik: float
    sigma2: float
    tau: Matrix


class UnitRegression(NamedTuple):
    """One unit's own OLS regression, coefficients in the order of the random coefficients."""

    unit: str
    coefficients: tuple[float, ...]


class OptimumRow(NamedTuple):
    """One quantity on HLM's path beside its value at the exact optimum."""

    label: str
    here: float
    optimum: float

    def printed(self, value: float) -> str:
        """Return a value, or the difference, as it is printed."""
        return f"{value:z.{6 if self.label == 'Deviance' else 5}f}"


class Optimum(NamedTuple):
    """Comparison of HLM's answer with the exact optimum of the same criterion (deviances on one constant)."""

    rows: tuple[OptimumRow, ...]
    deviance_here: float
    deviance_optimum: float
    true_deviance: float  # of the optimum, with the full -n/2 ln(2 pi), as lme4, SAS and Stata print it


class NoteGroup(NamedTuple):
    """A heading of the section "Notes by hlmbayes" with its sentences."""

    heading: str
    sentences: tuple[str, ...]
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Tables:
    """Everything a listing prints."""

    header: Header
    stop_line: str
    iteration: int
    sigma2: float  # nan where heterogeneous
    tau: Matrix
    tau_corr: Matrix
    reliability: tuple[float, ...]
    loglik: float
    fixed: tuple[FixedRow, ...]
    fixed_robust: tuple[FixedRow, ...]
    variance_components: tuple[VarianceRow, ...]
    deviance: float
    n_parameters: int
    algorithm: Literal["hlm", "exact"] = "hlm"
    converged: bool = True
    se_sigma2: float | None = None  # the listing prints both standard errors under ML only, as HLM does
    se_tau: Matrix | None = None
    n_units_full_rank: int | None = None  # None: as n_units
    unit_regressions: tuple[UnitRegression, ...] = ()
    average_ols: tuple[float, ...] = ()
    least_squares: LeastSquares | None = None
    start: StartingValues | None = None
    log: tuple[IterationRow, ...] = ()
    full_output: bool = False
    heterogeneity: Heterogeneity | None = None
    comparison: ChiSquare | None = None  # against the deviance: and df: of the command file
    hypotheses: tuple[Hypothesis, ...] = ()
    homogeneity: ChiSquare | None = None
    meta_analysis: MetaAnalysis | None = None
    exploration: tuple[Candidate, ...] = ()
    notes: tuple[NoteGroup, ...] = ()
    optimum: Optimum | None = None

    @property
    def units_left_out(self) -> bool:
        """Whether reliabilities and chi-squares rest on fewer units than the rest."""
        return self.n_units_full_rank is not None and self.n_units_full_rank < self.header.n_units

    @property
    def tested_on_fewer_units(self) -> bool:
        """Whether there are chi-squares of variances that rest on fewer units than the rest."""
        tested = any(row.chi2 is not None and row.chi2 == row.chi2 for row in self.variance_components)
        return tested and self.units_left_out


def grouped(rows: Sequence[FixedRow]) -> Iterator[tuple[FixedRow, bool]]:
    """Yield each row, and whether the gammas of a level-1 coefficient begin with it."""
    current = ""
    for row in rows:
        yield row, row.coef != current
        current = row.coef


def p_text(p: float, *, chi_square: bool = False, hlm: str = "6") -> str:
    """Return a p-value in HLM's form: three decimals, ``>.500`` for a chi-square test with p over .5.

    HLM 7 writes ``<0.001`` and ``>0.500``.
    """
    if p != p:
        return "n/a"
    if chi_square and p > 0.5:
        return ">.500" if hlm == "6" else ">0.500"
    if p < 0.001 and hlm != "6":
        return "<0.001"
    return f"{p:.3f}"
