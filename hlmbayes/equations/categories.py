"""The model of an outcome whose categories have an equation each: the one set of equations, for every one."""

from __future__ import annotations

from collections.abc import Sequence

from .parser import ModelParts
from .parts import Coefficient, Gamma, gamma_name, gamma_number


def category_label(value: float) -> str:
    """Give what stands in the names of a category's parameters: "2" of 2.0, "0.5" of 0.5."""
    return f"{value:.0f}" if value == int(value) else repr(float(value))


def with_categories(parts: ModelParts, categories: Sequence[str]) -> ModelParts:
    """Give a model with b0[1], b1[1], b0[2], ... for the categories but the last, the reference.

    Random effects that are correlated in one equation are correlated across all; fixed effects that are held
    equal are held equal within each category.
    """
    each = {m: [_of_category(c, m) for c in parts.coefficients] for m in categories}
    effect, name = dict[tuple[str, str], str](), dict[tuple[str, str], str]()
    for m, own in each.items():
        for c, new in zip(parts.coefficients, own, strict=True):
            effect[c.effect, m] = new.effect
            name |= {(g.name, m): n.name for g, n in zip(c.gammas, new.gammas, strict=True)}
    blocks = [tuple(effect[u, m] for m in categories for u in block) for block in parts.blocks]
    equal = [tuple(name[gamma, m] for gamma in names) for m in categories for names in parts.constraints]
    coefficients = tuple(c for own in each.values() for c in own)
    return parts._replace(coefficients=coefficients, blocks=tuple(blocks), constraints=tuple(equal))


def of_one_set(parts: ModelParts) -> ModelParts:
    """Give a model with b0, b1, ... of one with b0[1], b1[1], b0[2], ...: what `with_categories` is of."""
    first = parts.coefficients[0].category
    if not first:
        return parts
    own = [c for c in parts.coefficients if c.category == first]
    plain = [_without_category(c) for c in own]
    effect = {c.effect: new.effect for c, new in zip(own, plain, strict=True)}
    each = zip(own, plain, strict=True)
    name = {g.name: n.name for c, new in each for g, n in zip(c.gammas, new.gammas, strict=True)}
    blocks = [tuple(effect[u] for u in block if u in effect) for block in parts.blocks]
    equal = [tuple(map(name.__getitem__, names)) for names in parts.constraints if names[0] in name]
    return parts._replace(coefficients=tuple(plain), blocks=tuple(blocks), constraints=tuple(equal))


def typeset_parts(parts: ModelParts) -> ModelParts:
    """Give a model as it is typeset: that of an outcome by category with m for any of these, b0[m]."""
    one_for_all = parts.outcome_law.by_category and not any(c.category for c in parts.coefficients)
    return with_categories(parts, "m") if one_for_all else parts


def _of_category(c: Coefficient, category: str) -> Coefficient:
    gammas = tuple(Gamma(_gamma_name(c, g, category), g.predictor, g.where) for g in c.gammas)
    name = f"b{c.index}[{','.join(filter(None, (c.label, category)))}]"
    return Coefficient(name, c.predictor, gammas, c.random, c.where, category)


def _without_category(c: Coefficient) -> Coefficient:
    """Take the category, the last of a coefficient's labels, out of its name and those of its effects."""
    label = c.label.removesuffix(c.category).rstrip(",")
    gammas = []
    for g in c.gammas:
        own = g.name.partition("[")[2].rstrip("]").removeprefix(c.label).lstrip(",")
        name = gamma_name(c.index, gamma_number(g.name), label, own)
        gammas.append(Gamma(name, g.predictor, g.where))
    name = f"b{c.index}[{label}]" if label else f"b{c.index}"
    return Coefficient(name, c.predictor, tuple(gammas), c.random, c.where)


def _gamma_name(c: Coefficient, gamma: Gamma, category: str) -> str:
    """Name a fixed effect by the columns of terms it is of and the category: g11[general,2,urban]."""
    own = gamma.name.partition("[")[2].rstrip("]").removeprefix(c.label).lstrip(",")
    return gamma_name(c.index, gamma_number(gamma.name), c.label, category, own)
