"""A two-level model written as equations: frozen, and it never sees data. `hlmbayes.Model` is its face.

    model = Model('''
        mathach = b0 + b1*group(ses) + r
        b0 = g00 + g01*sector + g02*meanses + u0
        b1 = g10 + g11*sector + g12*meanses + u1
    ''')

The equations are those of Raudenbush & Bryk (2002, ch. 2-4) in the letters of
HLM's listing. What may be written is said in `TwoLevelModel`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from ..arguments import methods_in_words
from ..naming import Parameters
from ..words import composed
from . import formula as formulas
from . import text as equation_text
from .blocks import check_blocks
from .categories import of_one_set
from .names import coefficient_parameters, gamma_parameters, scalar_parameters
from .outcome_law import NORMAL, Asked, OutcomeLaw, check_outcome_law
from .parser import ModelParts, parse
from .parts import (
    Centering,
    Coefficient,
    Gamma,
    LogSigma2,
    Predictor,
    check_constraints,
    check_model,
    fail,
    gamma_name,
    same_name,
    unique_names,
)

__all__ = [
    "Centering",
    "Coefficient",
    "Gamma",
    "LogSigma2",
    "OutcomeLaw",
    "Predictor",
    "TwoLevelModel",
    "gamma_name",
    "same_name",
]


@dataclass(frozen=True, init=False, repr=False, eq=False)
@methods_in_words
class TwoLevelModel:
    """A two-level hierarchical linear model as equations; `hlmbayes.Model` says what may be written.

    Attributes
    ----------
    outcome : str
    coefficients : tuple of Coefficient
        In the order of the level-1 equation.
    log_sigma2 : LogSigma2 or None
    constraints : tuple of tuple of str
        Sets of fixed effects held equal.
    blocks : tuple of tuple of str
        Sets of random effects that are correlated with one another only: (("u0", "u1"),) where tau has all
        its covariances, (("u0",), ("u1",)) where it is diagonal.
    outcome_law : OutcomeLaw
        The distribution of the outcome about the level-1 equation, and its link.
    formula : str or None
        The formula it was made of, where no data said the levels: those it is fitted to have the last word.
    """

    outcome: str
    coefficients: tuple[Coefficient, ...]
    log_sigma2: LogSigma2 | None
    constraints: tuple[tuple[str, ...], ...]
    blocks: tuple[tuple[str, ...], ...]
    outcome_law: OutcomeLaw
    formula: str | None

    def __init__(
        self, text: str, *, family: str | None = None, link: str | None = None, trials: str | None = None,
        exposure: str | None = None, overdispersed: bool | None = None,
    ) -> None:  # fmt: skip
        asked = Asked(family, link, trials, exposure, overdispersed)
        if not isinstance(text, str) or not formulas.is_formula(text):
            self._set(parse(text, asked))
            return
        law = asked.law()
        found = formulas.read_formula(text)
        level2, unknown = formulas.implied_levels(found)
        if unknown:  # a formula has no other equations
            object.__setattr__(self, "outcome", composed(found.outcome))
            object.__setattr__(self, "log_sigma2", None)
            object.__setattr__(self, "constraints", ())
            object.__setattr__(self, "outcome_law", law)
            check_outcome_law(law, found.outcome, None)
        else:
            self._set(self._from_formula(text, law, level2).parts)
        object.__setattr__(self, "formula", text)

    def _set(self, parts: ModelParts) -> None:
        for name, value in parts._asdict().items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "formula", None)

    def __getattr__(self, name: str) -> Any:
        """Refuse what a formula alone does not say; the data say which of its variables are of level 2."""
        if name in ModelParts._fields and (formula := self.__dict__.get("formula")) is not None:
            formulas.described(formulas.read_formula(formula), None, None)  # raises
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def with_levels(self, data: Any = None, level2: Iterable[str] = ()) -> Self:
        """The model with the levels that data, or the names ``level2``, tell of the variables of a formula.

        A model of equations says them itself, and is given back.
        """
        if self.formula is None:
            return self
        if data is not None:
            return self._from_formula(self.formula, self.outcome_law, data=data)
        used = formulas.read_formula(self.formula).variables
        own = [name for name in level2 if name.casefold() in used]
        return self._from_formula(self.formula, self.outcome_law, own)

    @property
    def _is_open(self) -> bool:
        return "coefficients" not in self.__dict__

    @property
    def group(self) -> str | None:
        """The name of the units' id in a formula; equations have none."""
        return None if self.formula is None else formulas.read_formula(self.formula).group

    @property
    def parts(self) -> ModelParts:
        """What `from_parts` makes the model of, in that order."""
        return ModelParts(
            self.outcome, self.coefficients, self.log_sigma2, self.constraints, self.blocks, self.outcome_law
        )

    @classmethod
    def from_parts(
        cls,
        outcome: str,
        coefficients: Iterable[Coefficient],
        log_sigma2: LogSigma2 | None = None,
        constraints: Iterable[Sequence[str]] = (),
        blocks: Iterable[Sequence[str]] = (),
        outcome_law: OutcomeLaw = NORMAL,
    ) -> Self:
        """Model from its parts; they are checked as the equations are. No ``blocks``: one of all effects.

        Raises
        ------
        EquationError
            As for the equations.
        """
        coefficients = tuple(coefficients)
        outcome = composed(outcome)
        check_model(outcome, coefficients, log_sigma2)
        check_outcome_law(outcome_law, outcome, log_sigma2)
        known = gamma_parameters(coefficients)
        model = cls.__new__(cls)
        sets = check_constraints(constraints, known)
        of_effects = check_blocks(blocks, [c.effect for c in coefficients if c.random])
        model._set(ModelParts(outcome, coefficients, log_sigma2, sets, of_effects, outcome_law))
        return model

    @classmethod
    def from_formula(
        cls, text: str, *, level2: Iterable[str] | None = None, data: Any = None, family: str | None = None,
        link: str | None = None, trials: str | None = None, exposure: str | None = None,
        overdispersed: bool | None = None,
    ) -> Self:  # fmt: skip
        """Model from a formula as lme4 and bambi write it.

        ``Model.from_formula("mathach ~ (sector + meanses)*group(ses) + (group(ses) | id)", data=data)``
        is the model whose equations `print(model)` shows; gammas are numbered as HLM numbers them.

        Parameters
        ----------
        text : str
            ``y ~ terms + (terms | id)`` with ``+``, ``*``, ``:``, ``0 +`` for no intercept,
            and the terms of equations: ``group(x)``, ``C(x)``, ``log(x)``, ``x^2``. Effects of
            different random parts are independent, those of one are correlated:
            ``(1 | id) + (0 + x | id)``, shorter ``(x || id)``, has a diagonal tau.
        level2 : iterable of str, optional
            The level-2 variables of the formula (empty: there are none).
        data : TwoLevelData, optional
            Says which variables are level 2, when `level2` is not given. Without either the data say it
            that the model is fitted to.
        family, link, trials, exposure, overdispersed
            Of an outcome that is not normal, as `hlmbayes.Model` has them.

        Raises
        ------
        EquationError
            Not such a formula, or the level of a variable cannot be told from it.
        """
        asked = Asked(family, link, trials, exposure, overdispersed)
        if level2 is None and data is None:
            formulas.read_formula(text)  # equations are refused
            return cls(text, **asked._asdict())
        return cls._from_formula(text, asked.law(), level2, data)

    @classmethod
    def _from_formula(
        cls, text: str, law: OutcomeLaw, level2: Iterable[str] | None = None, data: Any = None
    ) -> Self:
        outcome, coefficients, blocks = formulas.described(formulas.read_formula(text), level2, data)
        return cls.from_parts(outcome, coefficients, blocks=blocks, outcome_law=law)

    @property
    def coefficient_names(self) -> tuple[str, ...]:
        """Names of the level-1 coefficients: ("b0", "b1")."""
        return tuple(c.name for c in self.coefficients)

    @property
    def gammas(self) -> tuple[Gamma, ...]:
        """All fixed effects in order, those held equal by a constraint included."""
        return tuple(gamma for c in self.coefficients for gamma in c.gammas)

    @property
    def gamma_names(self) -> tuple[str, ...]:
        """Names of all fixed effects in order: ("g00", "g01", "g10")."""
        return tuple(gamma.name for gamma in self.gammas)

    @cached_property
    def fixed_parameters(self) -> Parameters:
        """The fixed effects with their names: g11 is "ses x sector", and may be written ses:sector."""
        return gamma_parameters(self.coefficients)

    @cached_property
    def random_parameters(self) -> Parameters:
        """The coefficients that have a random effect, with their names: b1 is "ses"."""
        return coefficient_parameters(c for c in self.coefficients if c.random)

    @cached_property
    def scalar_parameters(self) -> Parameters:
        """Every parameter with its name: fixed effects, sd[b1], corr[b1,b0], tau[b1,b0], sigma2, a1, ..."""
        return scalar_parameters(self.coefficients, self.log_sigma2)

    @property
    def random(self) -> tuple[str, ...]:
        """Names of the coefficients that have a random effect."""
        return tuple(c.name for c in self.coefficients if c.random)

    @property
    def first_random(self) -> tuple[str, ...]:
        """Name of the first coefficient that has a random effect; one for each category with equations."""
        own = [(c.index, c.label.removesuffix(c.category), c.name) for c in self.coefficients if c.random]
        return tuple(name for *which, name in own if which == list(own[0][:2]))

    @property
    def effects(self) -> tuple[str, ...]:
        """Names of the random effects: ("u0", "u1")."""
        return tuple(c.effect for c in self.coefficients if c.random)

    @property
    def level1_variables(self) -> tuple[str, ...]:
        """Level-1 predictors, without the outcome and without those of log(sigma2) alone."""
        return unique_names(c.predictor.variable for c in self.coefficients)

    @property
    def level2_variables(self) -> tuple[str, ...]:
        """Level-2 predictors, each once, in order of appearance."""
        return unique_names(gamma.predictor.variable for gamma in self.gammas)

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables of the data: the outcome, predictors, and what terms are made of; each once."""
        if self._is_open:  # a formula names them, of whatever level
            asked = formulas.read_formula(str(self.formula))
            return unique_names([asked.outcome, *self.outcome_law.columns, *asked.variables.values()])
        used = [c.predictor for c in self.coefficients] + [gamma.predictor for gamma in self.gammas]
        used += [] if self.log_sigma2 is None else self.log_sigma2.predictors
        own = (self.outcome, *self.outcome_law.columns)
        return unique_names([*own, *(name for predictor in used for name in predictor.names)])

    @property
    def variance_variables(self) -> tuple[str, ...]:
        """Variables that log(sigma2) depends on; none without that equation."""
        return () if self.log_sigma2 is None else self.log_sigma2.variables

    @property
    def predictors(self) -> tuple[str, ...]:
        """Every variable of the model but the outcome, each once: both levels', and those of log(sigma2)."""
        return unique_names((*self.level1_variables, *self.level2_variables, *self.variance_variables))

    def constrain(self, *constraints: str) -> Self:
        """The same model with fixed effects held equal.

        Parameters
        ----------
        *constraints : str
            One text for each set: ``model.constrain("g02 = g12", "sector = ses:sector")``. They add
            to those the model has.

        Raises
        ------
        EquationError
            Not of this form, a fixed effect the model lacks, or one in two sets.
        """
        sets: list[Sequence[str]] = list(self.constraints)
        for text in constraints:
            if not isinstance(text, str) or "=" not in text:
                fail("", f'a constraint is text such as "g02 = g12", got {text!r}')
            sets.append([name.strip() for name in text.split("=")])
        return self.from_parts(*self.parts._replace(constraints=tuple(map(tuple, sets))))

    def equations(self, latex: bool = False) -> str:
        """The equations, as text that `Model` reads back or as a LaTeX align* environment."""
        return equation_text.equations_latex(self.parts) if latex else equation_text.equations(self.parts)

    def mixed(self, latex: bool = False) -> str:
        """The combined model: the level-2 equations put into the level-1 equation."""
        return equation_text.mixed_latex(self.parts) if latex else equation_text.mixed(self.parts)

    def __eq__(self, other: object) -> bool:
        return self._compared == other._compared if isinstance(other, TwoLevelModel) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._compared)

    def __str__(self) -> str:
        return str(self.formula) if self._is_open else self.equations()

    def __repr__(self) -> str:
        law = self.outcome_law
        family = f', family="{law.family}"' if self._is_open and not law.is_normal else ""
        return f'Model("""\n{self}\n"""{family})'

    @property
    def _compared(self) -> tuple[Any, ...]:
        return (self.formula, self.outcome_law) if self._is_open else self.parts


def one_set[M: TwoLevelModel](model: M) -> M:
    """Give a model with one set of equations, of one where each category of the outcome has its own."""
    return type(model).from_parts(*of_one_set(model.parts))
