"""The posterior of a job's model, beside its estimates at the REML optimum."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import CommandFileError
from ..estimation.estimate import fit
from ..estimation.estimates import Estimates
from ..faces import record_of
from ..front.posterior import Posterior, sample
from ..hlm_files.command_options import Options
from ..priors.priors import Priors
from ..report.posterior_report import as_json, as_text, page
from .estimate import heard, read_data
from .jobs import Job
from .outputs import Said, check_folder, check_places, made_folder


@dataclass(frozen=True)
class Sampled:
    """A job's posterior, its REML fit, and what to say besides."""

    posterior: Posterior
    fit: Estimates
    said: tuple[Said, ...]

    @cached_property
    def figures(self) -> dict[str, bytes]:
        """The figures by name, PNG images, drawn off screen."""
        os.environ.setdefault("MPLBACKEND", "Agg")  # no windows
        import matplotlib.pyplot as plt

        from ..figures.posterior_plots import figures

        drawn = {}
        for name, figure in figures(record_of(self.posterior), self.fit).items():
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png")
            plt.close(figure)
            drawn[name] = buffer.getvalue()
        return drawn

    def write_figures(self, folder: str) -> None:
        """Write the figures into a folder, which is made if need be."""
        place = made_folder(folder)
        for name, image in self.figures.items():
            (place / f"{name}.png").write_bytes(image)

    def text(self) -> str:
        """Return priors, summary, verdict and comparison as text."""
        return as_text(record_of(self.posterior), self.fit)

    def json(self) -> str:
        """Return the results as JSON."""
        return as_json(record_of(self.posterior), self.fit)

    def html(self) -> str:
        """Return the results and the figures as a page."""
        return page(record_of(self.posterior), self.fit, self.figures)


def sample_job(
    job: Job, outputs: Mapping[str, Path], figures: str | None = None, *, width: float = 1.0, **settings: Any
) -> Sampled:
    """Draw from the posterior distribution of the job's model and estimate it by REML.

    Parameters
    ----------
    job : Job
    outputs : mapping of what asks for a file (``--html``) to the file
        They are written later; refused here, before anything is computed.
    figures : str, optional
        The folder of the figures, of which the same is true.
    width : float
        What the scales of the default priors are multiplied with.
    **settings
        As `hlmbayes.Model.sample`: seed, draws, chains, tune, sampler, progressbar.

    Raises
    ------
    CommandFileError
        The command file asks for what the posterior would leave out.
    """
    _refuse_weights(job)
    check_places(outputs, job.inputs)
    if figures is not None:
        check_folder(figures)
    data, priors = read_data(job), Priors(width=width)
    # PyMC's remarks are for its users; what matters of them is in the verdict
    logging.getLogger("pymc").addFilter(lambda record: record.levelno >= logging.ERROR)
    (estimates, posterior), messages = heard(
        lambda: (fit(job.model, data), sample(job.model, data, priors=priors, **settings))
    )
    warned, left_out = (*job.warnings, *messages), (*job.not_done, *_left_out(job.options))
    said = (*(Said("warning", s) for s in warned), *(Said("left out", s) for s in left_out))
    return Sampled(posterior, estimates, said)


def _refuse_weights(job: Job) -> None:
    """Raise where the command file asks for what the posterior would leave out."""
    options = job.options
    asked = {
        "level1weight": options.level1_weight,
        "level2weight": options.level2_weight,
        "varianceknown": options.variance_known,
        "plausvals": ",".join(options.plausible_values),
        "fixsigma2": options.fix_sigma2,
    }
    for keyword, value in asked.items():
        if value:
            python = "; from Python, hlm.sample_imputed does it" if keyword == "plausvals" else ""
            raise CommandFileError(
                f"{job.name}: {keyword}:{value} cannot be sampled by this command, hlmbayes run estimates "
                f"with it{python}"
            )


def _left_out(options: Options) -> list[str]:
    """Name what the command file asks for that is no part of a posterior."""
    asked = {
        "the hypotheses": options.hypotheses,
        "the comparison of deviances": options.deviance is not None,
        "the test of homogeneity": options.homogeneity,
        "residual files": options.residuals1 or options.residuals2,
    }
    parts = [what for what, given in asked.items() if given]
    sentences = [f"{', '.join(parts)}: hlmbayes run does this"] if parts else []
    if options.method == "ML":
        sentences.append("mlf:y: the estimates beside the posterior are by restricted maximum likelihood")
    return sentences
