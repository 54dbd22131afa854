"""A two-level model written as equations: `Model`, frozen, which never sees data.

    model = Model('''
        mathach = b0 + b1*group(ses) + r
        b0 = g00 + g01*sector + g02*meanses + u0
        b1 = g10 + g11*sector + g12*meanses + u1
    ''')

The equations are those of Raudenbush & Bryk (2002, ch. 2-4) in the letters of
HLM's listing. What may be written is said in `Model`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from . import formula
from . import text as equation_text
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

if TYPE_CHECKING:
    import pymc as pm

    from ..data.weights import Frequencies, Weights
    from ..estimation.fit import Fit
    from ..front.posterior import Posterior
    from ..priors.priors import Priors

__all__ = ["Centering", "Coefficient", "Gamma", "LogSigma2", "Model", "Predictor", "gamma_name", "same_name"]


@dataclass(frozen=True, init=False, repr=False)
class Model:
    """A two-level hierarchical linear model.

    Parameters
    ----------
    text : str
        The equations, one a line; ``#`` starts a comment, a line that ends in ``+`` goes on.

        - Level 1: ``y = b0 + b1*group(x1) + b2*grand(x2) + b3*x3 + r``. Without ``b0`` there is
          no intercept. ``r`` may be left out: every model has it.
        - Level 2, one for every b: ``b1 = g10 + g11*w + g12*grand(v) + u1``; without ``u1``
          the slope varies nonrandomly, ``b1 = u1`` is random only.
        - ``log(sigma2) = a0 + a1*female``: level-1 variance that depends on variables.
        - ``g02 = g12``: fixed effects held equal (more than two: ``g01 = g11 = g21``).

        Case does not count in any name. ``beta0``, ``gamma00``, ``B0``, ``G00`` are read as b0, g00.
        A variable whose name has odd characters, or looks like b1, g10, u1 or r, goes in backticks.

    Raises
    ------
    EquationError
        With the line, what was got and what to write.

    Attributes
    ----------
    outcome : str
    coefficients : tuple of Coefficient
        In the order of the level-1 equation.
    log_sigma2 : LogSigma2 or None
    constraints : tuple of tuple of str
        Sets of fixed effects held equal.
    """

    outcome: str
    coefficients: tuple[Coefficient, ...]
    log_sigma2: LogSigma2 | None
    constraints: tuple[tuple[str, ...], ...]

    def __init__(self, text: str) -> None:
        self._set(parse(text))

    def _set(self, parts: ModelParts) -> None:
        for name, value in parts._asdict().items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_parts(
        cls,
        outcome: str,
        coefficients: Iterable[Coefficient],
        log_sigma2: LogSigma2 | None = None,
        constraints: Iterable[Sequence[str]] = (),
    ) -> Model:
        """Model from its parts; they are checked as the equations are.

        Raises
        ------
        EquationError
            As for the equations.
        """
        coefficients = tuple(coefficients)
        check_model(outcome, coefficients, log_sigma2)
        known = [gamma.name for c in coefficients for gamma in c.gammas]
        model = cls.__new__(cls)
        model._set(ModelParts(outcome, coefficients, log_sigma2, check_constraints(constraints, known)))
        return model

    @classmethod
    def from_formula(cls, text: str, *, level2: Iterable[str] | None = None, data: Any = None) -> Model:
        """Model from a formula as lme4 and bambi write it.

        ``Model.from_formula("mathach ~ (sector + meanses)*group(ses) + (group(ses) | id)", data=data)``
        is the model whose equations `print(model)` shows; gammas are numbered as HLM numbers them.

        Parameters
        ----------
        text : str
            ``y ~ terms + (terms | id)`` with ``+``, ``*``, ``:``, ``0 +`` for no intercept,
            ``group(x)`` and ``grand(x)``. Interactions are those of one level-1 with one level-2
            variable. ``||`` is refused: tau here has all its covariances, as HLM's.
        level2 : iterable of str, optional
            The level-2 variables of the formula (empty: there are none).
        data : TwoLevelData, optional
            Says which variables are level 2, when `level2` is not given.

        Raises
        ------
        EquationError
            Not such a formula, or the level of a variable cannot be told from it.
        """
        outcome, coefficients = formula.parse_formula(text, level2, data)
        return cls.from_parts(outcome, coefficients)

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

    @property
    def random(self) -> tuple[str, ...]:
        """Names of the coefficients that have a random effect."""
        return tuple(c.name for c in self.coefficients if c.random)

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

    def constrain(self, *constraints: str) -> Model:
        """The same model with fixed effects held equal.

        Parameters
        ----------
        *constraints : str
            One text for each set: ``model.constrain("g02 = g12", "g01 = g11 = g21")``. They add
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
        return Model.from_parts(self.outcome, self.coefficients, self.log_sigma2, sets)

    def equations(self, latex: bool = False) -> str:
        """The equations, as text that `Model` reads back or as a LaTeX align* environment."""
        return equation_text.equations_latex(self) if latex else equation_text.equations(self)

    def mixed(self, latex: bool = False) -> str:
        """The combined model: the level-2 equations put into the level-1 equation."""
        return equation_text.mixed_latex(self) if latex else equation_text.mixed(self)

    def __str__(self) -> str:
        return self.equations()

    def __repr__(self) -> str:
        return f'Model("""\n{self.equations()}\n""")'

    def fit(
        self,
        data: Any,
        *,
        method: str | None = None,
        algorithm: str = "exact",
        weights: Weights | None = None,
        frequency: Frequencies | None = None,
        precision: str | None = None,
        variance_known: str | None = None,
        sigma2: float | None = None,
        max_iterations: int = 100,
        stopval: float = 1e-6,
        accel: int = 5,
    ) -> Fit:
        """Estimate by REML (the default) or ML; see `hlmbayes.estimation.estimate.fit`.

        Parameters
        ----------
        data : TwoLevelData or Moments
        method : "REML" or "ML", optional
        algorithm : "exact" or "hlm"
            The optimum of the likelihood, or HLM 6.08's iterations, which stop before it.
        weights : Weights, optional
            Sampling weights.
        frequency : Frequencies, optional
            How many identical rows and units each record stands for.
        precision, variance_known : str, optional
            Level-1 variable w where the level-1 variance is sigma2 / w; or the variable that is it.
        sigma2 : float, optional
            Hold the level-1 variance at this value.
        max_iterations, stopval, accel
            HLM's `numit`, `stopval` (per cent) and `accel`; "hlm" only.
        """
        from ..estimation.estimate import fit

        return fit(
            self, data, method=method, algorithm=algorithm, weights=weights, frequency=frequency,
            precision=precision, variance_known=variance_known, sigma2=sigma2, max_iterations=max_iterations,
            stopval=stopval, accel=accel,
        )  # fmt: skip

    def pymc(self, data: Any, priors: Priors | None = None, *, marginal: bool = True) -> pm.Model:
        """The model as a PyMC model; see `hlmbayes.sampling.pymc_model.build`.

        Parameters
        ----------
        data : TwoLevelData or Moments
        priors : Priors, optional
        marginal : bool
            True: random effects integrated out, the data enter as moments. False: the textbook model on rows.
        """
        posterior = import_module("hlmbayes.front.posterior")
        model: pm.Model = posterior.build(self, data, priors, marginal=marginal)
        return model

    def sample(
        self,
        data: Any,
        *,
        priors: Priors | None = None,
        seed: int | None = None,
        sampler: Literal["direct", "nuts"] | None = None,
        draws: int = 1000,
        chains: int = 4,
        tune: int = 1000,
        marginal: bool = True,
        keep_effects: bool | None = None,
        progressbar: bool = False,
    ) -> Posterior:
        """Draw from the posterior distribution; see `hlmbayes.front.posterior.sample`.

        Parameters
        ----------
        data : TwoLevelData or Moments
        priors : Priors, optional
            Weakly informative defaults where left out.
        seed : int, optional
            Same seed, same draws.
        sampler : "direct" or "nuts", optional
        draws, chains, tune : int
        marginal : bool
            False samples the textbook model on rows.
        keep_effects : bool, optional
            Keep every draw of u and b; by default while they take less than 512 MB.
        progressbar : bool
            Of NUTS.
        """
        posterior = import_module("hlmbayes.front.posterior")
        drawn: Posterior = posterior.sample(
            self, data, priors=priors, seed=seed, sampler=sampler, draws=draws, chains=chains, tune=tune,
            marginal=marginal, keep_effects=keep_effects, progressbar=progressbar,
        )  # fmt: skip
        return drawn
