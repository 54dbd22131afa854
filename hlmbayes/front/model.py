"""`Model`: a two-level model with the doors to estimation and sampling."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from .. import notebook
from ..arguments import methods_in_words
from ..data.weights import Frequencies, Weights
from ..equations.model import TwoLevelModel
from ..errors import EstimationError
from ..estimation.estimate import fit
from ..estimation.prepare import weights_asked
from ..unit_moments.stream import MomentsStream
from .draws import build, sample
from .fit import Fit
from .model_files import save_model
from .not_normal import fit_not_normal, refuse_given
from .sources import Id, data_for
from .streamed_fit import fit_streamed


@methods_in_words
class Model(TwoLevelModel):
    """A two-level hierarchical linear model; its attributes are those of `TwoLevelModel`.

    Parameters
    ----------
    text : str
        A formula as lme4 has it (see `from_formula`), or the equations, one a line; ``#`` starts a comment, a
        line that ends in ``+`` goes on.

        - Level 1: ``y = b0 + b1*group(x1) + b2*grand(x2) + b3*x3 + r``. Without ``b0`` there is
          no intercept. ``r`` may be left out: every model has it.
        - Level 2, one for every b: ``b1 = g10 + g11*w + g12*grand(v) + u1``; without ``u1``
          the slope varies nonrandomly, ``b1 = u1`` is random only.
        - ``log(sigma2) = a0 + a1*female``: level-1 variance that depends on variables.
        - ``cov(u0, u1) = 0``: independent random effects; ``cov(u0, u1, u2) = 0`` for each two of three,
          ``cov(u0, u2) = cov(u1, u2) = 0`` where u0 and u1 stay correlated. Without it tau has all its
          covariances.
        - What is multiplied may be computed: ``b1*C(track)``, ``b2*group(ses)*female``, ``g01*log(size)``,
          ``ses^2``, ``poly(age, 2)``, ``bs(age, df=5)``; docs/terms.md.
        - ``logit(y) = b0 + ...``, without r: a Bernoulli outcome, ``logit(y, trials=n)`` a binomial one; also
          ``probit`` and ``cloglog``. ``log(y) = b0 + ...``, ``log(y, exposure=time)``: Poisson counts.
          ``cumlogit(y)``: ordinal, the log odds of a category or a lower one. ``mlogit(y)``: categories
          without an order, the log odds of each against the last.
          ``overdispersed=yes`` after a comma: their variance is a multiple of the family's.
        - ``g02 = g12``: fixed effects held equal (more than two: ``g01 = g11 = g21``).

        Case does not count in any name. ``beta0``, ``gamma00``, ``B0``, ``G00`` are read as b0, g00.
        A variable whose name has odd characters, or looks like b1, g10, u1 or r, goes in backticks.
    family : "binomial", "bernoulli", "poisson", "ordinal", "multinomial" or "normal", optional
        Of the outcome, where the left side does not say it: of a formula, always.
    link : "logit", "probit", "cloglog", "log", "cumlogit" or "mlogit", optional
        By default the first that the family has.
    trials, exposure : str, optional
        The variable with each row's number of trials (binomial), or its exposure (Poisson).
    overdispersed : bool, optional
        Let the variance be a multiple of the family's, which is estimated.

    Raises
    ------
    EquationError
        With the line, what was got and what to write.
    """

    def fit(
        self,
        data: Any,
        *,
        id: Id = None,
        level2: Any = None,
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
        n_nodes: int | None = None,
        laplace: bool = False,
    ) -> Any:
        """Estimate by REML (the default) or ML; an outcome that is not normal by ML.

        Parameters
        ----------
        data : TwoLevelData, Moments or MomentsStream, or a frame or file
            What is not read yet is read as `hlmbayes.read` does.
        id : str or (str, str), optional
            Of a frame or file: the name of the units' id, by default that of a formula, else "id".
        level2 : frame or file, optional
            The level-2 records, where they are not columns of `data`.
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
        n_nodes : int, optional
            Of an outcome that is not normal: nodes of quadrature for each random effect, instead of as many
            as it takes.
        laplace : bool
            Laplace's approximation instead of quadrature, as most programs do.

        Returns
        -------
        Fit; of an outcome that is not normal a GeneralizedFit, for algorithm "hlm" a PQLFit; from a
        MomentsStream a StreamedFit

        Raises
        ------
        DataError, EquationError, EstimationError
        """
        given = {"weights": weights, "frequency": frequency, "precision": precision,
                 "variance_known": variance_known, "sigma2": sigma2}  # fmt: skip
        if isinstance(data, MomentsStream):
            return fit_streamed(self, data, method, algorithm, given)
        if not self.outcome_law.is_normal:
            refuse_given(self, {"precision": precision, "variance_known": variance_known, "sigma2": sigma2})
            counted, rows = weights_asked(weights, frequency), data_for(self, data, id, level2)
            return fit_not_normal(self, rows, method, algorithm, max_iterations, n_nodes, laplace, counted)
        if n_nodes is not None or laplace:
            raise EstimationError(
                "n_nodes= and laplace= are for outcomes that are not normal: the likelihood of a normal one "
                "needs no quadrature"
            )
        found = fit(
            self, data_for(self, data, id, level2), method=method, algorithm=algorithm, weights=weights,
            frequency=frequency, precision=precision, variance_known=variance_known, sigma2=sigma2,
            max_iterations=max_iterations, stopval=stopval, accel=accel,
        )  # fmt: skip
        return Fit(found)

    def _repr_html_(self) -> str:
        from ..report.report_page import equations

        open_formula = notebook.sentences(str(self)) if self._is_open else ""
        return notebook.shown(open_formula or equations(self))

    def save(self, path: str | Path, data: Any, *, method: Literal["REML", "ML"] = "REML") -> list[Path]:
        """Write the model and its data as files that `hlmbayes run` takes, and give their paths.

        Parameters
        ----------
        path : path
            NAME.hlm: HLM's command file, with the template NAME.mdmt and the data as NAME_level1.sav and
            NAME_level2.sav beside it. NAME.txt: the equations, which may have terms, with lines that name the
            data, which stand beside it too.
        data : TwoLevelData
        method : "REML" or "ML"

        Raises
        ------
        OutputError, CommandFileError
            Another ending, or what a command file cannot hold.
        """
        return save_model(self, path, data, method)

    pymc = build
    sample = sample
