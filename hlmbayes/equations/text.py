"""A model printed back: level equations and the combined model, as text and as LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, groupby

from .categories import typeset_parts
from .expressions import Factor, Function, Name, Negative, Node, Number, Operation, is_operation, text_of
from .outcome_law import OutcomeLaw
from .parser import ModelParts
from .parts import Coefficient, Gamma, Predictor
from .symbols import ALPHA, quoted


def equations(model: ModelParts) -> str:
    """Level-1 equation, level-2 equations, log(sigma2), constraints: text that `Model` reads back."""
    lines = []
    for category, coefficients in _by_category(model):
        level1 = [_times(c.name, _written(c.predictor)) for c in coefficients]
        lines.append(_level1(model, level1, category))
        for c in coefficients:
            terms = [_times(g.name, _written(g.predictor)) for g in c.gammas]
            lines.append(f"{c.name} = {' + '.join([*terms, *([c.effect] if c.random else [])])}")
    return "\n".join(lines + _extra_lines(model))


def mixed(model: ModelParts) -> str:
    """The combined model, deviations from means written out; (x - mean_j) is x minus its unit's mean."""
    lines = []
    for category, coefficients in _by_category(model):
        terms = []
        for c in coefficients:
            terms += [_times(g.name, _deviation(g.predictor), _deviation(c.predictor)) for g in c.gammas]
        terms += [_times(c.effect, _deviation(c.predictor)) for c in coefficients if c.random]
        lines.append(_level1(model, terms, category))
    return "\n".join(lines + _extra_lines(model))


def _by_category(model: ModelParts) -> list[tuple[str, list[Coefficient]]]:
    """The coefficients of each category's equation; all together where there is one equation."""
    found = groupby(model.coefficients, key=lambda c: c.category)
    return [(category, list(coefficients)) for category, coefficients in found]


def _level1(model: ModelParts, terms: Sequence[str], category: str) -> str:
    """An equation of the outcome; only a normal one has a residual."""
    right = [*terms, "r"] if model.outcome_law.is_normal else terms
    return f"{model.outcome_law.left(model.outcome, category)} = {' + '.join(right)}"


def covariances(blocks: Sequence[Sequence[str]]) -> str:
    """The random effects that are independent, as an equation reads them; empty where none are."""
    sets = _independent(blocks)
    return " = ".join([*(f"cov({', '.join(names)})" for names in sets), "0"]) if sets else ""


def tau_words(blocks: Sequence[Sequence[str]]) -> str:
    """Say which random effects are independent, as part of a sentence; empty where none are."""
    if len(blocks) < 2:
        return ""
    if all(len(block) == 1 for block in blocks):
        return f"tau is diagonal: {_and([block[0] for block in blocks])} are independent"
    sets = _and([f"({', '.join(block)})" for block in blocks])
    return f"tau is block-diagonal: effects of different sets, {sets}, are independent"


def _and(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _independent(blocks: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Sets of effects, each independent of the others in it: all of them, or the pairs."""
    if len(blocks) > 1 and all(len(block) == 1 for block in blocks):
        return [tuple(name for block in blocks for name in block)]
    pairs = [(a, b) for one, other in combinations(blocks, 2) for a in one for b in other]
    return sorted((min(pair, key=_number), max(pair, key=_number)) for pair in pairs)


def _number(effect: str) -> int:
    return int(effect[1:].partition("[")[0])


def _extra_lines(model: ModelParts) -> list[str]:
    independent = covariances(model.blocks)
    lines = [independent] if independent else []
    if model.log_sigma2 is not None:
        names = model.log_sigma2.names
        variables = [
            f"`{p.variable}`" if ALPHA.fullmatch(str(p.variable)) else _named(p)
            for p in model.log_sigma2.predictors
        ]
        terms = [_times(a, x) for a, x in zip(names[1:], variables, strict=True)]
        lines.append(f"log(sigma2) = {' + '.join([names[0], *terms])}")
    return lines + [" = ".join(names) for names in model.constraints]


def _times(*factors: str) -> str:
    return "*".join(factor for factor in factors if factor)


def _written(predictor: Predictor) -> str:
    if predictor.variable is None:
        return ""
    name = _named(predictor)
    return name if predictor.centering == "none" else f"{predictor.centering}({name})"


def _named(predictor: Predictor) -> str:
    return quoted(str(predictor.variable)) if predictor.term is None else text_of(predictor.term)


def _deviation(predictor: Predictor) -> str:
    if predictor.variable is None:
        return ""
    name = _named(predictor)
    return {"none": name, "group": f"({name} - mean_j)", "grand": f"({name} - mean)"}[predictor.centering]


# ---------------------------------------------------------------- LaTeX

_ESCAPES = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "\\": r"\backslash ",
    "~": r"\sim ",
    "^": r"\wedge ",
    " ": r"\ ",
    "-": r"\text{-}",
}


def equations_latex(model: ModelParts) -> str:
    r"""The level equations as an align* environment (\beta_{0j}, \gamma_{00}, subscripts ij and j)."""
    model = typeset_parts(model)
    terms = [_product(_beta(c), _latex_predictor(c.predictor, "ij")) for c in model.coefficients]
    rows = _latex_level1(model, terms)
    for c in model.coefficients:
        terms = [_product(_gamma(g), _latex_predictor(g.predictor, "j")) for g in c.gammas]
        rows.append((_beta(c), [*terms, *([_effect(c)] if c.random else [])]))
    return _align(model, rows)


def mixed_latex(model: ModelParts) -> str:
    """The combined model as an align* environment."""
    model, terms = typeset_parts(model), []
    for c in model.coefficients:
        x = _latex_predictor(c.predictor, "ij")
        terms += [_product(_gamma(g), _latex_predictor(g.predictor, "j"), x) for g in c.gammas]
    random = [c for c in model.coefficients if c.random]
    terms += [_product(_effect(c), _latex_predictor(c.predictor, "ij")) for c in random]
    return _align(model, _latex_level1(model, terms))


def _latex_level1(model: ModelParts, terms: list[str]) -> list[tuple[str, list[str]]]:
    """An equation of the outcome, or of the link of its mean."""
    law = model.outcome_law
    if law.is_normal:
        return [(_latex_name(model.outcome, "ij"), [*terms, "r_{ij}"])]
    name = _latex_name(model.outcome, "ij")
    if law.is_ordinal:
        return [(rf"\operatorname{{logit}}P({name} \le m)", [r"\delta_{m}", *terms])]
    if law.by_category:
        return [(rf"\log\frac{{P({name} = m)}}{{P({name} = M)}}", terms)]
    return [(rf"\operatorname{{{law.link}}}({_latex_letter(law)})", terms)]


def _latex_letter(law: OutcomeLaw) -> str:
    """The letter of what the link is taken of: the probability of a success, or the rate of counts."""
    return r"\lambda_{ij}" if law.family == "poisson" else "p_{ij}"


def _latex_distribution(model: ModelParts) -> str:
    """How an outcome about a mean that has a letter is distributed."""
    law = model.outcome_law
    letter, size = _latex_letter(law), "" if law.size is None else _latex_name(law.size, "ij")
    sign = "" if not size else r"\," if law.family == "poisson" else r",\,"
    return rf"{_latex_name(model.outcome, 'ij')} &\sim \operatorname{{{law.name}}}({size}{sign}{letter})"


def _align(model: ModelParts, rows: list[tuple[str, list[str]]]) -> str:
    lines = [_latex_distribution(model)] if model.outcome_law.has_mean else []
    lines += [rf"{left} &= {' + '.join(terms)}" for left, terms in [*rows, *_latex_extra(model)]]
    return "\n".join([r"\begin{align*}", " \\\\\n".join(lines), r"\end{align*}"])


def _latex_extra(model: ModelParts) -> list[tuple[str, list[str]]]:
    rows: list[tuple[str, list[str]]] = []
    sets = [r",\,".join(rf"u_{{{name[1:]}j}}" for name in names) for names in _independent(model.blocks)]
    if sets:
        first, *others = [rf"\operatorname{{cov}}({names})" for names in sets]
        rows.append((first, [" = ".join([*others, "0"])]))
    if model.log_sigma2 is not None:
        alphas = [rf"\alpha_{{{name[1:]}}}" for name in model.log_sigma2.names]
        pairs = zip(alphas[1:], model.log_sigma2.predictors, strict=True)
        terms = [_product(alpha, _latex_predictor(x, "ij")) for alpha, x in pairs]
        rows.append((r"\log(\sigma^{2}_{ij})", [alphas[0], *terms]))
    gammas = {g.name: _gamma(g) for c in model.coefficients for g in c.gammas}
    equal = [[gammas[name] for name in names] for names in model.constraints]
    return rows + [(first, [" = ".join(others)]) for first, *others in equal]


def _product(*factors: str) -> str:
    return r"\,".join(factor for factor in factors if factor)


def _beta(coefficient: Coefficient) -> str:
    return rf"\beta_{{{coefficient.name[1:]}j}}"


def _effect(coefficient: Coefficient) -> str:
    return rf"u_{{{coefficient.name[1:]}j}}"


def _gamma(gamma: Gamma) -> str:
    return rf"\gamma_{{{gamma.name[1:].replace('_', ',')}}}"


def _escaped(name: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in name)


def _latex_upright(name: str) -> str:
    return rf"\mathrm{{{_escaped(name)}}}"


def _latex_name(name: str, subscript: str) -> str:
    return _latex_upright(name) + (rf"_{{{subscript}}}" if subscript else "")


def _latex_predictor(predictor: Predictor, subscript: str) -> str:
    if predictor.variable is None:
        return ""
    if predictor.term is not None:
        node = (
            predictor.term if predictor.centering == "none" else Function(predictor.centering, predictor.term)
        )
        return _latex_node(node, subscript)
    name = _latex_name(predictor.variable, subscript)
    if predictor.centering == "none":
        return name
    return rf"({name} - {_latex_mean(_latex_upright(predictor.variable), predictor.centering, subscript)})"


def _latex_mean(what: str, centering: str, subscript: str) -> str:
    dots = r"\cdot\cdot" if subscript == "ij" else r"\cdot"
    return rf"\overline{{{what}}}_{{{r'\cdot j' if centering == 'group' else dots}}}"


def _latex_node(node: Node, subscript: str) -> str:
    """A term: products and powers as mathematics has them, other functions upright with what they take."""
    if isinstance(node, Name | Factor):
        return _latex_name(node.name, subscript)
    if isinstance(node, Number):
        return node.text
    if isinstance(node, Negative):
        return rf"-{_latex_node(node.argument, subscript)}"
    if isinstance(node, Operation):
        left, right = (_latex_node(part, subscript) for part in (node.left, node.right))
        sums = isinstance(node.left, Negative) or is_operation(node.left, "+") or is_operation(node.left, "-")
        if sums or (node.op == "^" and isinstance(node.left, Operation)):
            left = rf"\left({left}\right)"
        if isinstance(node.right, Operation | Negative) and node.op != "/":
            right = rf"\left({right}\right)"
        joined = {
            "*": rf"{left}\,{right}",
            "/": rf"\frac{{{left}}}{{{right}}}",
            "^": rf"{{{left}}}^{{{right}}}",
        }
        return joined.get(node.op, f"{left} {node.op} {right}")
    argument = _latex_node(node.argument, subscript)
    if isinstance(node, Function) and node.function in ("group", "grand"):
        mean = _latex_mean(_latex_node(node.argument, ""), node.function, subscript)
        return rf"\left({argument} - {mean}\right)"
    if isinstance(node, Function):
        return rf"\operatorname{{{node.function}}}\left({argument}\right)"
    return rf"\operatorname{{{node.kind}}}\left({argument}\right)"
