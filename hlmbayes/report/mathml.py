"""A model's equations as MathML, in the letters of Raudenbush & Bryk: what browsers typeset without help.

The parts (`beta`, `gamma`, `effect`, `predictor`, ...) have no ``<math>`` around them, `math` puts it there;
`level1`, `level2` and `mixed` are whole equations, `level1_terms` and `mixed_terms` their right sides piece
by piece, for pages where long ones must wrap. The bar of a mean is drawn by the style sheet (class mean).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from ..equations.categories import typeset_parts
from ..equations.model import OutcomeLaw, TwoLevelModel
from ..equations.parts import Coefficient, Gamma, LogSigma2, Predictor
from ..equations.text import covariances

PLUS = "<mo>+</mo>"
EQUALS = "<mo>=</mo>"
GAP = '<mspace width="0.2em"/>'


def typeset(model: TwoLevelModel) -> TwoLevelModel:
    """Give the model whose equations are typeset: where categories have equations, those of category m."""
    return type(model).from_parts(*typeset_parts(model.parts)) if model.outcome_law.by_category else model


def math(*parts: str) -> str:
    """Put parts into one formula."""
    return f"<math>{''.join(parts)}</math>"


def word(name: str) -> str:
    """A variable's name, upright."""
    return f'<mi mathvariant="normal">{escape(name)}</mi>'


def symbol(letter: str, index: str) -> str:
    """A letter with a subscript, its digits upright and its letters slanted: b, 0, j."""
    name, bracket, label = index.partition("[")
    digits = "".join(c for c in name if c.isdigit() or c == "_").replace("_", ",")
    letters = "".join(c for c in name if c.isalpha())
    column, _, after = label.partition("]")
    parts = [f"<mn>{digits}</mn>"] if digits else []
    parts += [f"<mtext>[{escape(column)}]</mtext>"] if bracket else []
    parts += [f"<mi>{c}</mi>" for c in letters + after]
    return f"<msub><mi>{letter}</mi><mrow>{''.join(parts)}</mrow></msub>" if parts else f"<mi>{letter}</mi>"


def beta(coefficient: Coefficient) -> str:
    """The level-1 coefficient of a unit."""
    return symbol("β", f"{coefficient.name[1:]}j")


def gamma(fixed: Gamma) -> str:
    """A fixed effect."""
    return symbol("γ", fixed.name[1:])


def effect(coefficient: Coefficient) -> str:
    """The random effect of a coefficient."""
    return symbol("u", f"{coefficient.name[1:]}j")


RESIDUAL = symbol("r", "ij")


def outcome(model: TwoLevelModel) -> str:
    """What the level-1 equation is of: the outcome of a row, or the link of its mean."""
    law = model.outcome_law
    if law.is_normal:
        return _indexed(word(model.outcome), "ij")
    name = _indexed(word(model.outcome), "ij")
    if law.is_ordinal:
        return f"<mi>logit</mi>{GAP}<mi>P</mi>{_in_brackets(f'{name}<mo>≤</mo><mi>m</mi>')}"
    if law.by_category:
        of, last = (f"<mi>P</mi>{_in_brackets(f'{name}{EQUALS}<mi>{m}</mi>')}" for m in "mM")
        return f"<mi>log</mi>{GAP}<mfrac><mrow>{of}</mrow><mrow>{last}</mrow></mfrac>"
    return f"<mi>{law.link}</mi>{_in_brackets(mean(law))}"


def mean(law: OutcomeLaw) -> str:
    """What the link is taken of: the probability of a success, or the rate of counts."""
    return symbol("λ" if law.family == "poisson" else "p", "ij")


def distribution(model: TwoLevelModel) -> list[str]:
    """How an outcome that is not normal is distributed; nothing where its categories have probabilities."""
    law = model.outcome_law
    if not law.has_mean:
        return []
    sign = "" if law.family == "poisson" else "<mo>,</mo>"
    size = "" if law.size is None else f"{_indexed(word(law.size), 'ij')}{sign}"
    left = _indexed(word(model.outcome), "ij")
    return [math(left, "<mo>∼</mo>", f"<mi>{law.name}</mi>", _in_brackets(size + mean(law)))]


def predictor(x: Predictor, level: int) -> str:
    """A predictor, as a deviation where it is centred; nothing for the constant."""
    if x.variable is None:
        return ""
    own = word(x.variable)
    if x.centering == "none":
        return _indexed(own, "ij" if level == 1 else "j")
    bar = f'<mrow class="mean">{own}</mrow>'  # a bar above it by the style sheet: fonts' bars do not stretch
    mean = _indexed(bar, ".j") if x.centering == "group" else _indexed(bar, ".." if level == 1 else ".")
    inside = f"{_indexed(own, 'ij' if level == 1 else 'j')}<mo>−</mo>{mean}"
    return f"<mrow>{_in_brackets(inside)}</mrow>"


def _in_brackets(inside: str) -> str:
    return f'<mo stretchy="false">(</mo>{inside}<mo stretchy="false">)</mo>'


def _indexed(name: str, index: str) -> str:
    return f"<msub>{name}<mrow>{''.join(f'<mi>{c}</mi>' for c in index)}</mrow></msub>"


def level1(model: TwoLevelModel) -> str:
    """The level-1 equation."""
    return math(outcome(model), EQUALS, _sum(level1_terms(model)))


def level2(coefficient: Coefficient) -> str:
    """The level-2 equation of one coefficient."""
    return math(beta(coefficient), EQUALS, _sum(level2_terms(coefficient)))


def level2_terms(coefficient: Coefficient) -> list[str]:
    """What is added up in the level-2 equation of one coefficient."""
    terms = [_times(gamma(g), predictor(g.predictor, 2)) for g in coefficient.gammas]
    return [*terms, *([effect(coefficient)] if coefficient.random else [])]


def mixed(model: TwoLevelModel) -> str:
    """The combined model: the level-2 equations put into the level-1 equation."""
    return math(outcome(model), EQUALS, _sum(mixed_terms(model)))


def broken(left: str, terms: Sequence[str]) -> str:
    """An equation as a formula for each term, so that long ones wrap between them."""
    rest = (math('<mo form="infix">+</mo>', term) for term in terms[1:])
    return " ".join([math(left, EQUALS, *terms[:1]), *rest])


def level1_terms(model: TwoLevelModel) -> list[str]:
    """What is added up in the level-1 equation."""
    model = typeset(model)
    terms = [_times(beta(c), predictor(c.predictor, 1)) for c in model.coefficients]
    return [*_cut(model), *terms, *_residual(model)]


def mixed_terms(model: TwoLevelModel) -> list[str]:
    """What is added up in the combined model."""
    model, terms = typeset(model), []
    for c in model.coefficients:
        x = predictor(c.predictor, 1)
        terms += [_times(gamma(g), predictor(g.predictor, 2), x) for g in c.gammas]
    terms += [_times(effect(c), predictor(c.predictor, 1)) for c in model.coefficients if c.random]
    return [*_cut(model), *terms, *_residual(model)]


def _cut(model: TwoLevelModel) -> list[str]:
    """The cut of a category, of an ordinal outcome."""
    return [symbol("δ", "m")] if model.outcome_law.is_ordinal else []


def _residual(model: TwoLevelModel) -> list[str]:
    return [RESIDUAL] if model.outcome_law.is_normal else []


def extra(model: TwoLevelModel) -> list[str]:
    """What is said beside the equations: independent effects, log(sigma2), fixed effects held equal."""
    found = list[str]()
    if independent := covariances(model.blocks):
        sets, _ = independent.rsplit(" = ", 1)
        found.append(math(EQUALS.join([*map(_covariance, sets.split(" = ")), "<mn>0</mn>"])))
    found += [variance(model.log_sigma2)] if model.log_sigma2 else []
    return found + [math(EQUALS.join(symbol("γ", name[1:]) for name in names)) for names in model.constraints]


def variance(equation: LogSigma2) -> str:
    """The equation of the logarithm of the level-1 variance."""
    left = "<mi>ln</mi><msubsup><mi>σ</mi><mrow><mi>i</mi><mi>j</mi></mrow><mn>2</mn></msubsup>"
    names = zip(equation.names[1:], equation.variables, strict=True)
    terms = [_times(symbol("α", a[1:]), _indexed(word(x), "ij")) for a, x in names]
    return math(left, EQUALS, _sum([symbol("α", equation.names[0][1:]), *terms]))


def _covariance(text: str) -> str:
    names = text[len("cov(") : -1].split(", ")
    inside = "<mo>,</mo>".join(symbol("u", f"{name[1:]}j") for name in names)
    return f'<mi>cov</mi><mo stretchy="false">(</mo>{inside}<mo stretchy="false">)</mo>'


def _sum(terms: Iterable[str]) -> str:
    return PLUS.join(terms)


def _times(*factors: str) -> str:
    return f"<mrow>{'<mspace width="0.15em"/>'.join(factor for factor in factors if factor)}</mrow>"
