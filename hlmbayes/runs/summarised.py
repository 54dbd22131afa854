"""A job's model at a glance, and whatever tests and checks are asked for besides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..derived.intraclass import icc
from ..derived.r2 import r2
from ..diagnostics.checks import check
from ..errors import HLMError
from ..estimation.estimates import Estimates
from ..hypotheses.contrasts import contrast
from ..hypotheses.wald import variable_test, wald
from ..inference.compare import compare_any
from ..inference.homogeneity import homogeneity
from ..inference.profile import AT_OPTIMUM, intervals
from ..laws.law import Need
from ..model_tables.summary import summary
from .estimate import fit_job, heard, read_data
from .jobs import Job


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked of a model: see `hlmbayes summary --help`."""

    prob: float = 0.95
    errors: dict[str, Any] = field(default_factory=dict)  # robust and df
    tests: Sequence[str] = ()
    contrasts: Sequence[str] = ()
    variables: Sequence[str] = ()
    compare: Job | None = None
    icc: bool = False
    r2: bool = False
    confint: bool = False
    check: bool = False
    homogeneity: bool = False


def summarised(job: Job, asked: Questions) -> tuple[str, tuple[str, ...]]:
    """Fit the job's model and answer; gives the text, and what was warned of."""
    for each in (job, *([asked.compare] if asked.compare else [])):
        each.refuse_several("there is no summary")
    fit, warned = heard(lambda: fit_job(job, read_data(job)))
    df = asked.errors.get("df") or job.df(asked.errors.get("robust"))
    asked = replace(asked, errors={**asked.errors, "df": df})
    parts = [str(summary(fit, asked.prob, **asked.errors)), *_answers(fit, asked)]
    if asked.compare is not None:
        other = asked.compare
        simpler, more = heard(lambda: fit_job(other, read_data(other)))
        parts.append(f"Compared with {other.name}:\n{compare_any(fit, simpler, None, None)}")
        warned += more
    return "\n\n".join(parts), (*job.warnings, *warned)


def _answers(fit: Estimates, asked: Questions) -> Iterator[str]:
    for text in asked.tests:
        yield str(wald(fit, text, **asked.errors))
    for text in asked.contrasts:
        yield str(contrast(fit, text, prob=asked.prob, **asked.errors))
    for name in asked.variables:
        yield str(variable_test(fit, name, **asked.errors))
    wanted: dict[str, Callable[[], object]] = {
        "icc": lambda: icc(fit, prob=asked.prob),
        "r2": lambda: r2(fit, prob=asked.prob),
        "homogeneity": lambda: homogeneity(fit),
        "check": lambda: check(fit),
        "confint": lambda: _variance_intervals(fit, asked.prob),
    }
    for name, answer in wanted.items():
        if getattr(asked, name):
            try:
                yield str(answer())
            except HLMError as error:  # one answer that there is not costs no other
                yield f"{name}: {error}"


def _variance_intervals(fit: Estimates, prob: float) -> str:
    fit.require("the profile likelihood", Need.LIKELIHOOD, Need.ONE_SIGMA2)
    lines = [f"{100 * prob:g} % intervals of the variances' parameters, from the profile likelihood"]
    found = intervals(fit, prob=prob)
    if any(i.method == AT_OPTIMUM for i in found):
        lines.append("These are the optimum's: HLM, whose numbers are above, stops before it.")
    lines += [f"  {i.parameter:<16}{i.estimate:12.5g}  {i.low:.5g} to {i.high:.5g}" for i in found]
    return "\n".join(lines)
