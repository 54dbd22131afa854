"""The posterior of a job whose outcome is not normal: its parameters, its priors in words, the verdict."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import CommandFileError
from ..front.draws import sample
from ..priors.priors import Priors
from .estimate import heard, level1_options, read_data
from .jobs import Job
from .outputs import Results, check_places, said


def errors_only(record: logging.LogRecord) -> bool:
    """Keep PyMC's remarks back, which are for its users; what matters of them is in the verdict."""
    return record.levelno >= logging.ERROR


def sample_on_link(
    job: Job, outputs: Mapping[str, Path], *, figures: str | None, save: str | None, priors: Priors | None,
    **settings: Any,
) -> Results:  # fmt: skip
    """Draw from the posterior of a model whose outcome is not normal; see `hlmbayes.runs.sampled.sample_job`.

    Raises
    ------
    CommandFileError
        A page or figures, which there are of normal outcomes only.
    """
    asked = {"--html": outputs.get("--html"), "--figures": figures}
    if names := [name for name, given in asked.items() if given is not None]:
        raise CommandFileError(
            f"{' and '.join(names)}: for posteriors of normal outcomes, and {job.model.outcome} of "
            f"{job.name} is {job.model.outcome_law.name}: leave it out; --output, --json and --save write "
            "the results"
        )
    check_places(outputs, job.inputs)
    data, before = heard(lambda: read_data(job))
    logging.getLogger("pymc").addFilter(errors_only)
    post, messages = heard(lambda: sample(job.model, data, priors=priors, **level1_options(job), **settings))

    def text() -> str:
        return f"{job.model}\n\n{post!r}\n\nPriors\n{post.priors.describe(job.model, data)}\n"

    def numbers() -> str:
        found = json.loads(post.summary().to_json(orient="index", double_precision=15))
        return json.dumps({"outcome": job.model.outcome, "family": job.model.outcome_law.family,
                           "link": job.model.outcome_law.link, "parameters": found,
                           "convergence": str(post.convergence)}, indent=2) + "\n"  # fmt: skip

    files = () if save is None else (partial(post.save, save),)
    return Results(said(warning=(*job.warnings, *before, *messages)), text, numbers, text, files)
