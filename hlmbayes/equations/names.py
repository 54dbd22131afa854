"""What the parameters of a model are called: codes, and names made of the variables they are of.

A fixed effect is called by its variables, the level-1 variable first ("ses:sector", shown as "ses x sector");
"intercept" is the one without. A level-1 coefficient, its random effect and its standard deviation are called
by the level-1 variable: "ses", sd[ses], corr[ses,intercept].
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations, product

from ..naming import TIMES, Parameter, Parameters
from .parts import Coefficient, LogSigma2, Predictor

INTERCEPT = "intercept"
OF_INTERCEPT = ("(intercept)", "intrcpt1", "intrcpt2")  # R's, HLM's
_MOST_PARTS = 3  # of a product whose parts are found in any order
LEVEL1 = {"sigma": "level-1 sd", "sigma2": "level-1 variance"}


def gamma_parameters(coefficients: Iterable[Coefficient]) -> Parameters:
    """Give the fixed effects: g11 is "ses x sector", also written ses:sector, group(ses)*sector, gamma11."""
    each = []
    for c in coefficients:
        for g in c.gammas:
            spellings = (*_of_category(_of_pair(c.predictor, g.predictor), c), *_codes(g.name))
            name = _named(effect_name(c.predictor, g.predictor), c)
            each.append(Parameter(g.name, name, spellings))
    return Parameters("fixed effect", tuple(each))


def effect_name(first: Predictor, second: Predictor, times: str = TIMES) -> str:
    """Name a fixed effect by its level-1 and its level-2 variable."""
    return times.join(v for v in (first.variable, second.variable) if v is not None) or INTERCEPT


def coefficient_parameters(coefficients: Iterable[Coefficient]) -> Parameters:
    """Give level-1 coefficients: b1 is "ses", also written u1, beta1, group(ses), "ses slope"."""
    return Parameters("random coefficient", tuple(map(_coefficient, coefficients)))


def _coefficient(c: Coefficient) -> Parameter:
    forms, variable = _forms(c.predictor), c.predictor.variable
    slope = () if variable is None else (f"{variable} slope", f"slope of {variable}")
    own = _of_category((*forms, *slope, f"beta{c.index}", f"β{c.index}"), c)
    return Parameter(c.name, _named(variable or INTERCEPT, c), (*own, c.effect))


def _of_category(spellings: Sequence[str], c: Coefficient) -> tuple[str, ...]:
    """Give spellings with the category of the outcome whose equation a coefficient is in: ses[2]."""
    return tuple(f"{text}[{c.category}]" if c.category else text for text in spellings)


def _named(name: str, c: Coefficient) -> str:
    return f"{name}[{c.category}]" if c.category else name


def component_names(coefficients: Iterable[Coefficient]) -> dict[str, str]:
    """Name the rows of a table of variances nearly as HLM does: "intercept", "ses slope", "level-1"."""
    random = [c for c in coefficients if c.random]
    names = [INTERCEPT if c.predictor.variable is None else f"{c.predictor.variable} slope" for c in random]
    names = [_named(name, c) for name, c in zip(names, random, strict=True)]
    found = {c.effect: name for c, name in zip(random, names, strict=True)}
    pairs = [(i, j) for i in range(len(random)) for j in range(i)]
    found |= {f"{random[i].effect}, {random[j].effect}": f"{names[i]}, {names[j]}" for i, j in pairs}
    return found | {"r": "level-1"}


def scalar_parameters(coefficients: Sequence[Coefficient], log_sigma2: LogSigma2 | None = None) -> Parameters:
    """Give every parameter: fixed effects, sd[b1], corr[b1,b0], tau[b1,b0], sigma, sigma2, a0, a1, ..."""
    random = [_coefficient(c) for c in coefficients if c.random]
    found = [*gamma_parameters(coefficients).each]
    found += [
        Parameter(f"sd[{p.code}]", f"sd[{p.name}]", tuple(f"sd[{form}]" for form in p.spellings))
        for p in random
    ]
    for kind in ("corr", "tau"):
        for i, a in enumerate(random):
            found += [_pair(kind, a, b) for b in random[: i + (kind == "tau")]]
    found += [Parameter(code, name) for code, name in LEVEL1.items()]
    return Parameters("parameter", (*found, *alpha_parameters(log_sigma2).each))


def alpha_parameters(log_sigma2: LogSigma2 | None) -> Parameters:
    """Give the coefficients of log(sigma2): a1 is "log(sigma2): female"."""
    names = () if log_sigma2 is None else log_sigma2.names
    variables = () if log_sigma2 is None else (INTERCEPT, *log_sigma2.variables)
    each = (
        Parameter(code, f"log(sigma2): {variable}", (f"log(sigma2):{variable}", f"alpha{code[1:]}"))
        for code, variable in zip(names, variables, strict=True)
    )
    return Parameters("coefficient of log(sigma2)", tuple(each))


def cut_parameters(n: int) -> Parameters:
    """Give the cuts of an ordinal outcome that are estimated, d2, d3, ...: n of them."""
    names = (str(k) for k in range(2, n + 2))
    each = (Parameter(f"d{k}", f"cut {k}", (f"delta{k}", f"δ{k}")) for k in names)
    return Parameters("cut", tuple(each))


def _pair(kind: str, a: Parameter, b: Parameter) -> Parameter:
    forms = ((p.code, p.name, *p.spellings) for p in (a, b))
    pairs = [pair for first, second in product(*forms) for pair in ((first, second), (second, first))]
    code, name = (f"{kind}[{first},{second}]" for first, second in ((a.code, b.code), (a.name, b.name)))
    return Parameter(code, name, tuple(f"{kind}[{first},{second}]" for first, second in pairs))


def variable_labels(variables: Iterable[str], labels: Mapping[str, str]) -> dict[str, str]:
    """Give the labels that the data have for variables, by name; ``labels`` are those of the data."""
    found = {name: labels.get(name.lower(), "") for name in variables}
    return {name: label for name, label in found.items() if label and label != name}


# ---------------------------------------------------------------- spellings


def _forms(predictor: Predictor) -> tuple[str, ...]:
    """Give what may be written for a predictor: its name, and as it stands in the equation."""
    if predictor.variable is None:
        return (INTERCEPT, *OF_INTERCEPT)
    parts = predictor.variable.split("*")
    orders = permutations(parts) if 1 < len(parts) <= _MOST_PARTS else ()
    names = (predictor.variable, *dict.fromkeys("*".join(order) for order in orders))
    if predictor.centering == "none":
        return names
    return (*names, *(f"{predictor.centering}({name})" for name in names))


def _of_pair(first: Predictor, second: Predictor) -> tuple[str, ...]:
    """Give what may be written for a fixed effect, the shortest first."""
    if first.variable is None or second.variable is None:
        return _forms(second if first.variable is None else first)
    pairs = list(product(_forms(first), _forms(second)))
    return tuple(f"{a}{sign}{b}" for sign in ":*" for x, y in pairs for a, b in ((x, y), (y, x)))


def _codes(code: str) -> tuple[str, ...]:
    """Give the spellings of a code: 02, 0_2, from ten on 110, after g, gamma or their Greek letter."""
    digits, bracket, label = code[1:].partition("[")
    other = digits.replace("_", "") if "_" in digits else f"{digits[0]}_{digits[1]}"
    letters = ("g", "g_", "gamma", "gamma_", "γ", "γ_")
    return tuple(f"{letter}{form}{bracket}{label}" for form in (digits, other) for letter in letters)
