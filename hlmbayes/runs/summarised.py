"""A job's model at a glance, and whatever tests and checks are asked for besides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ..derived.intraclass import icc
from ..derived.plausible import plausible_range
from ..derived.r2 import r2
from ..derived.variance_explained import variance_explained
from ..diagnostics.checks import check
from ..equations.outcome_law import check_normal
from ..errors import HLMError
from ..estimation.estimates import Estimates
from ..hglm.estimates import GeneralizedEstimates
from ..hypotheses.contrasts import contrast
from ..hypotheses.wald import variable_test, wald
from ..inference.bootstrap_generalized import bootstrap_generalized
from ..inference.compare import compare_any
from ..inference.homogeneity import homogeneity
from ..inference.profile import AT_OPTIMUM, intervals
from ..laws.law import Need
from ..model_tables.summary import summary
from ..residuals.exploratory import explore
from .estimate import heard
from .generalized import answers, fit_of
from .jobs import Job
from .predicted import values_of


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked of a model: see `hlmbayes summary --help`."""

    prob: float = 0.95
    errors: dict[str, Any] = field(default_factory=dict)  # robust and df
    tests: Sequence[str] = ()
    contrasts: Sequence[str] = ()
    variables: Sequence[str] = ()
    compare: Job | None = None
    icc: Sequence[str] | None = None  # "ses=0,1": where; empty: at zero
    range: Sequence[str] | None = None  # coefficients; empty: all that are random
    explore: Sequence[str] | None = None  # level-2 variables; empty: all that no equation has
    bootstrap: int = 0
    seed: int | None = None
    r2: bool = False
    confint: bool = False
    check: bool = False
    homogeneity: bool = False


def summarised(job: Job, asked: Questions) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Fit the job's model and answer; gives the text, what was warned of, and why answers are not there."""
    for each in (job, *([asked.compare] if asked.compare else [])):
        each.refuse_several("there is no summary")
    fit, warned = heard(lambda: fit_of(job))
    if job.model.outcome_law.is_normal:
        df = asked.errors.get("df") or job.df(asked.errors.get("robust"))
        asked = replace(asked, errors={**asked.errors, "df": df})
    missed: list[str] = []
    parts = [str(summary(fit, asked.prob, **asked.errors)), *_answers(fit, asked, missed)]
    if asked.compare is not None:
        other = asked.compare
        simpler, more = heard(lambda: fit_of(other))
        parts += _compared(fit, simpler, other.name, asked)
        warned += more
    return "\n\n".join(parts), (*job.warnings, *warned), tuple(missed)


def _answers(fit: Any, asked: Questions, missed: list[str]) -> Iterator[str]:
    """Give the answers; one that there is not costs no other and is ``missed``, with the reason."""
    for text in asked.tests:
        yield str(wald(fit, text, **asked.errors))
    for text in asked.contrasts:
        yield str(contrast(fit, text, prob=asked.prob, **asked.errors))
    for name in asked.variables:
        yield str(variable_test(fit, name, **asked.errors))
    wanted_of = _wanted_generalized if isinstance(fit, GeneralizedEstimates) else _wanted
    for name, (wanted, answer) in wanted_of(fit, asked).items():
        if wanted:
            try:
                yield str(answer())
            except HLMError as error:
                missed.append(f"--{name}: {error}")


def _wanted(fit: Estimates, asked: Questions) -> dict[str, tuple[bool, Callable[[], object]]]:
    """Give each answer there may be by name: whether it is wanted, and how it is had."""
    places = {name: v[0] if len(v) == 1 else v for name, v in values_of(asked.icc or ()).items()}
    n, seed = asked.bootstrap, asked.seed
    return {
        "icc": (asked.icc is not None, lambda: icc(fit, at=places or None, prob=asked.prob)),
        "r2": (asked.r2, lambda: r2(fit, prob=asked.prob, bootstrap=n, seed=seed)),
        "range": (asked.range is not None, lambda: _ranges(fit, asked)),
        "explore": (asked.explore is not None, lambda: explore(fit, asked.explore or ())),
        "homogeneity": (asked.homogeneity, lambda: homogeneity(fit)),
        "check": (asked.check, lambda: check(fit)),
        "confint": (asked.confint, lambda: _variance_intervals(fit, asked.prob)),
    }


def _ranges(fit: Estimates | GeneralizedEstimates, asked: Questions) -> str:
    names = asked.range or fit.random_names
    return "\n".join(str(plausible_range(fit, name, prob=asked.prob)) for name in names)


def _wanted_generalized(
    fit: GeneralizedEstimates, asked: Questions
) -> dict[str, tuple[bool, Callable[[], object]]]:
    """Do it for an outcome that is not normal: what is for normal ones says so."""
    places = {name: v[0] if len(v) == 1 else v for name, v in values_of(asked.icc or ()).items()}
    own = answers(fit, places, asked.prob)
    names = {
        "icc": asked.icc is not None, "r2": asked.r2, "range": asked.range is not None,
        "explore": asked.explore is not None, "homogeneity": asked.homogeneity, "check": asked.check,
        "confint": asked.confint, "bootstrap": bool(asked.bootstrap) and asked.compare is None,
    }  # fmt: skip
    own["range"] = lambda: _ranges(fit, asked)
    own["bootstrap"] = lambda: bootstrap_generalized(fit, asked.bootstrap, asked.seed)
    return {name: (on, own.get(name, partial(_not_here, name, fit))) for name, on in names.items()}


def _compared(fit: Any, simpler: Any, name: str, asked: Questions) -> Iterator[str]:
    """Test against a simpler model, and say how much of its variances is explained."""
    options = {"bootstrap": asked.bootstrap, "seed": asked.seed} if asked.bootstrap else {}
    yield f"Compared with {name}:\n{compare_any(fit, simpler, None, None, **options)}"
    if isinstance(fit, Estimates) and isinstance(simpler, Estimates):
        with suppress(HLMError):
            yield str(variance_explained(fit, simpler))


def _not_here(name: str, fit: GeneralizedEstimates) -> str:
    check_normal(fit.model.outcome, fit.model.outcome_law, f"--{name}")
    return ""


def _variance_intervals(fit: Estimates, prob: float) -> str:
    fit.require("the profile likelihood", Need.LIKELIHOOD, Need.ONE_SIGMA2)
    lines = [f"{100 * prob:g} % intervals of the variances' parameters, from the profile likelihood"]
    found = intervals(fit, prob=prob)
    if any(i.method == AT_OPTIMUM for i in found):
        lines.append("These are the optimum's: HLM, whose numbers are above, stops before it.")
    names = fit.model.scalar_parameters.name_of
    width = max(len(names[i.parameter]) for i in found) + 2
    lines += [
        f"  {names[i.parameter]:<{width}}{i.estimate:12.5g}  {i.low:.5g} to {i.high:.5g}" for i in found
    ]
    return "\n".join(lines)
