"""The model as it is clicked together: a frozen state, and each click a function from state to state.

The equations are the one truth: clicks, menus and text all end in a `TwoLevelModel`, and what is shown is
made from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..equations.expressions import Factor, text_of
from ..equations.model import TwoLevelModel
from ..equations.outcome_law import OutcomeLaw
from ..equations.parts import Centering, Coefficient, LogSigma2, Predictor, Term, numbered, same_name
from ..errors import EquationError
from ..hlm_files.command_options import Options, Rows
from .beside import Beside

INTERCEPTS = ("INTRCPT1", "INTRCPT2")
How = Literal["none", "group", "grand", "factor"]
Algorithm = Literal["hlm", "exact"]


@dataclass(frozen=True, slots=True)
class State:
    """What is asked for: the model (None before an outcome is chosen), the settings, the chosen equation.

    ``options`` are those of a command file, hypotheses among them; ``equation`` is the level-1 coefficient
    whose level-2 equation takes the level-2 variables that are clicked.
    """

    model: TwoLevelModel | None = None
    equation: str = "b0"
    options: Options = field(default_factory=lambda: Options(output="", title=""))
    algorithm: Algorithm = "hlm"
    beside: Beside = field(default_factory=Beside)

    @property
    def chosen(self) -> Coefficient:
        """The coefficient whose equation is chosen; the first where that is no more.

        Raises
        ------
        EquationError
            There is no model yet.
        """
        coefficients = self.known.coefficients
        return next((c for c in coefficients if c.name == self.equation), coefficients[0])

    @property
    def known(self) -> TwoLevelModel:
        """The model.

        Raises
        ------
        EquationError
            There is none yet.
        """
        if self.model is None:
            raise EquationError(
                "no outcome is chosen yet: click a level-1 variable and choose Outcome variable"
            )
        return self.model


# ----------------------------------------------------------------------------- the model


def choose_outcome(state: State, name: str) -> State:
    """Make a variable the outcome; the null model where there was no model, else the model without it."""
    if state.model is None:
        return null_model(state, name)
    terms = [_without(term, name) for term in terms_of(state.model) if not _is_of(term.predictor, name)]
    return _with_terms(state, terms or null_terms(), outcome=name)


def null_model(state: State, name: str = "") -> State:
    """The outcome's mean and how units differ in it: what the ICC is taken from."""
    return _with_terms(state, null_terms(), outcome=name or state.known.outcome)


def null_terms() -> list[Term]:
    """The random intercept alone."""
    return [Term(Predictor(None), [(Predictor(None), "")], True, "")]


def add_level1(state: State, name: str, how: How = "none") -> State:
    """Add a level-1 variable with a slope that does not vary, or change how it enters."""
    terms, new = terms_of(state.known), _predictor(name, how)
    if same_name(name, state.known.outcome):
        raise EquationError(f"{name} is the outcome; choose another outcome first")
    if name == INTERCEPTS[0]:
        if any(term.predictor.variable is None for term in terms):
            return state
        return _with_terms(state, [*null_terms(), *terms])
    place = [k for k, term in enumerate(terms) if _is_of(term.predictor, name)]
    if place:
        terms[place[0]] = terms[place[0]]._replace(predictor=new)
        return _with_terms(state, terms)
    return _with_terms(state, [*terms, Term(new, [(Predictor(None), "")], False, "")])


def add_level2(state: State, name: str, how: How = "none") -> State:
    """Add a level-2 variable to the chosen equation, or change how it enters there."""
    new, own = _predictor(name, how), state.chosen

    def changed(term: Term) -> Term:
        gammas = list(term.gammas)
        place = [k for k, (predictor, _) in enumerate(gammas) if _is_of(predictor, name)]
        if place:
            gammas[place[0]] = (new, "")
        elif new.variable is None:
            gammas.insert(0, (new, ""))
        else:
            gammas.append((new, ""))
        return term._replace(gammas=gammas)

    return _with_terms(state, _one_changed(state.known, own, changed))


def add_term(state: State, level: int, text: str) -> State:
    """Add what is computed from variables, such as ses*female or size^2, as an equation has it."""
    if not text.strip():
        raise EquationError("write a term first, such as ses*female, ses^2 or log(size)")
    if re.search(r"(^|\W)[bgur]\d*(\W|$)|[=\r\n]", re.sub("`[^`]*`", "x", text)):
        raise EquationError(f"{text} is more than one term; add one at a time, without its b or g")
    try:
        made = TwoLevelModel(f"{_OUTCOME} = b0 + b1*{text} + r\nb0 = g00 + u0\nb1 = g10")
    except EquationError as error:
        raise EquationError(f"{text} is no term: {str(error).rpartition(_OUTCOME)[2]}") from None
    new = made.coefficients[1].predictor
    if level == 1:
        return _with_terms(state, [*terms_of(state.known), Term(new, [(Predictor(None), "")], False, "")])
    own = state.chosen
    return _with_terms(
        state, _one_changed(state.known, own, lambda t: t._replace(gammas=[*t.gammas, (new, "")]))
    )


_OUTCOME = "`the outcome`"


def delete_level1(state: State, name: str) -> State:
    """Take a level-1 variable, the intercept, or the outcome out of the model."""
    model = state.known
    if same_name(name, model.outcome):
        return replace(state, model=None, equation="b0")
    gone = [term for term in terms_of(model) if not _is_of(term.predictor, name)]
    if len(gone) == len(model.coefficients):
        raise EquationError(f"{name} is not in the level-1 model")
    return _with_terms(state, gone)


def delete_level2(state: State, name: str) -> State:
    """Take a level-2 variable or the intercept out of the chosen equation, else out of all."""
    own, model = state.chosen, state.known

    def has(c: Coefficient) -> bool:
        return any(_is_of(gamma.predictor, name) for gamma in c.gammas)

    places = [own] if has(own) else [c for c in model.coefficients if has(c)]
    if not places or (name == INTERCEPTS[1] and not has(own)):
        raise EquationError(f"{name} is not in the equation of {own.name}")
    terms = terms_of(model)
    for k, c in enumerate(model.coefficients):
        if c in places:
            terms[k] = _without(terms[k], name)
    return _with_terms(state, terms)


def delete_term(state: State, code: str) -> State:
    """Take out what a coefficient (b1) or a fixed effect (g01) is of."""
    terms = terms_of(state.known)
    for k, c in enumerate(state.known.coefficients):
        if c.name == code:
            return _with_terms(state, terms[:k] + terms[k + 1 :])
        kept = [g for g, gamma in zip(terms[k].gammas, c.gammas, strict=True) if gamma.name != code]
        if len(kept) < len(terms[k].gammas):
            terms[k] = terms[k]._replace(gammas=kept)
            return _with_terms(state, terms)
    raise EquationError(f"the model has no {code}")


def computed_terms(model: TwoLevelModel) -> list[tuple[str, str]]:
    """Code and text of what the equations compute from variables, which no variable's menu takes out."""
    level1 = [(c.name, c.predictor) for c in model.coefficients]
    every = [*level1, *((g.name, g.predictor) for g in model.gammas)]
    return [
        (code, str(x.variable)) for code, x in every if x.term is not None and not isinstance(x.term, Factor)
    ]


def toggle_u(state: State, effect: str) -> State:
    """Turn a random effect on or off."""
    own = next((c for c in state.known.coefficients if c.effect == effect), None)
    if own is None:
        raise EquationError(f"the model has no {effect}")
    if own.random and not own.gammas:
        raise EquationError(
            f"{own.name} has nothing but {effect}: add INTRCPT2 to its equation first, or delete "
            f"{own.predictor.variable or INTERCEPTS[0]} from the model"
        )
    return _with_terms(state, _one_changed(state.known, own, lambda t: t._replace(random=not t.random)))


def choose_equation(state: State, name: str) -> State:
    """Choose the level-2 equation that level-2 variables go to."""
    if name not in state.known.coefficient_names:
        raise EquationError(f"the model has no {name}")
    return replace(state, equation=name)


def from_text(state: State, text: str) -> State:
    """Take the model from equations as text; hypotheses stay where their fixed effects do."""
    return with_model(state, TwoLevelModel(text))


def to_text(state: State) -> str:
    """The equations as text that `from_text` takes."""
    return "" if state.model is None else state.model.equations()


def with_model(state: State, model: TwoLevelModel) -> State:
    """The state with another model, and hypotheses over its fixed effects."""
    old = state.model
    hypotheses = () if old is None else tuple(
        rows for asked in state.options.hypotheses if (rows := _moved(asked, old, model))
    )  # fmt: skip
    options = replace(state.options, hypotheses=hypotheses)
    equation = state.equation if state.equation in model.coefficient_names else model.coefficient_names[0]
    return replace(state, model=model, options=options, equation=equation)


# ----------------------------------------------------------------------------- settings


def constrain(state: State, lines: Iterable[str]) -> State:
    """Hold fixed effects equal, a set a line (g02 = g12), in place of those that were."""
    sets = [[name.strip() for name in line.split("=")] for line in lines if line.strip()]
    return _with_parts(state, constraints=sets)


def level1_variance(state: State, names: Sequence[str], intercept_only: bool = False) -> State:
    """Let log(sigma2) depend on variables; on none: one sigma2."""
    alphas = tuple(f"a{k}" for k in range(len(names) + 1))
    equation = LogSigma2(alphas, tuple(names)) if names or intercept_only else None
    return _with_parts(state, log_sigma2=equation)


def distributed(state: State, law: OutcomeLaw) -> State:
    """Let the outcome have another distribution and link.

    Raises
    ------
    EquationError
        One that does not go with the rest of the model.
    """
    return _with_parts(state, outcome_law=law)


def independent(state: State, apart: bool) -> State:
    """Let the random effects be independent of one another (tau diagonal), or all correlated."""
    return _with_parts(state, blocks=[[name] for name in state.known.effects] if apart else ())


def _with_parts(state: State, **parts: Any) -> State:
    """The state with other parts of its model."""
    return replace(state, model=TwoLevelModel.from_parts(*state.known.parts._replace(**parts)))


# ----------------------------------------------------------------------------- how it is done


def terms_of(model: TwoLevelModel) -> list[Term]:
    """The coefficients without their numbers."""
    return [
        Term(c.predictor, [(gamma.predictor, "") for gamma in c.gammas], c.random, "")
        for c in model.coefficients
    ]


def _predictor(name: str, how: How) -> Predictor:
    if name in INTERCEPTS:
        return Predictor(None)
    if how == "factor":
        factor = Factor(name)
        return Predictor(text_of(factor), "none", factor)
    centering: Centering = how
    return Predictor(name, centering)


def _is_of(predictor: Predictor, name: str) -> bool:
    """Whether a predictor is a variable, as it is or as a factor, or the constant by one of its names."""
    if name in INTERCEPTS or predictor.variable is None:
        return predictor.variable is None and name in INTERCEPTS
    plain = predictor.term is None or isinstance(predictor.term, Factor)
    return plain and same_name(predictor.names[0], name)


def _without(term: Term, name: str) -> Term:
    return term._replace(gammas=[g for g in term.gammas if not _is_of(g[0], name)])


def _one_changed(model: TwoLevelModel, own: Coefficient, change: Callable[[Term], Term]) -> list[Term]:
    terms = terms_of(model)
    k = model.coefficient_names.index(own.name)
    terms[k] = change(terms[k])
    return terms


def _with_terms(state: State, terms: Sequence[Term], outcome: str = "") -> State:
    """The state with these coefficients, numbered as HLM numbers them; what named others by number moves."""
    old = state.model
    coefficients = numbered(terms)
    if old is None:
        return with_model(state, TwoLevelModel.from_parts(outcome, coefficients))
    name = outcome or old.outcome
    bare = TwoLevelModel.from_parts(name, coefficients, outcome_law=old.outcome_law)
    codes = _new_codes(old, bare)
    sets = [[codes[g] for g in names if g in codes] for names in old.constraints]
    effects = dict(zip(_keys(old), old.coefficients, strict=True))
    now = {c.effect: c for c in bare.coefficients if c.random}
    of_old = {effects[k].effect: c.effect for k, c in zip(_keys(bare), bare.coefficients, strict=True)
              if k in effects and c.random}  # fmt: skip
    blocks: list[list[str]] = []
    if len(old.blocks) > 1:
        blocks = [[of_old[u] for u in block if u in of_old] for block in old.blocks]
        placed = {u for block in blocks for u in block}
        blocks = [block for block in blocks if block] + [[u] for u in now if u not in placed]
    model = TwoLevelModel.from_parts(
        name, coefficients, old.log_sigma2, [s for s in sets if len(s) > 1], blocks, old.outcome_law
    )
    moved = replace(state, equation=_moved_equation(state, old, bare))
    return with_model(moved, model)


def _moved_equation(state: State, old: TwoLevelModel, new: TwoLevelModel) -> str:
    """The chosen equation by its variable, whose number may be another now."""
    keys = dict(zip(old.coefficient_names, _keys(old), strict=True))
    names = dict(zip(_keys(new), new.coefficient_names, strict=True))
    return names.get(keys.get(state.equation, ""), new.coefficient_names[0])


def _keys(model: TwoLevelModel) -> list[str]:
    return [_key(c.predictor) for c in model.coefficients]


def _key(predictor: Predictor) -> str:
    """What a predictor is of, whatever its centring."""
    if predictor.variable is None:
        return ""
    plain = predictor.term is None or isinstance(predictor.term, Factor)
    return (predictor.names[0] if plain else predictor.variable).casefold()


def _new_codes(old: TwoLevelModel, new: TwoLevelModel) -> dict[str, str]:
    """The new names of fixed effects that are still there, by the old ones."""
    there = {(_key(c.predictor), _key(g.predictor)): g.name for c in new.coefficients for g in c.gammas}
    found = {}
    for c in old.coefficients:
        for g in c.gammas:
            key = (_key(c.predictor), _key(g.predictor))
            if key in there:
                found[g.name] = there[key]
    return found


def _moved(rows: Rows, old: TwoLevelModel, new: TwoLevelModel) -> Rows | None:
    """A hypothesis over the fixed effects of a new model; None where it asks for one that is gone."""
    codes, names = _new_codes(old, new), list(new.gamma_names)
    moved = []
    for row in rows:
        values = [0.0] * len(names)
        for name, value in zip(old.gamma_names, row, strict=False):
            if value and name not in codes:
                return None
            if value:
                values[names.index(codes[name])] = value
        moved.append(tuple(values))
    return tuple(moved)
