"""`hlmbayes sample`: the posterior of a command file's model, beside its REML optimum."""

from __future__ import annotations

import argparse
import io
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CommandFileError, HLMWarning
from ..faces import record_of
from ..runs.outputs import check_folder, check_places, inputs_of, outputs_of
from .console import DONE, complain, put

if TYPE_CHECKING:
    from ..estimation.estimates import Estimates
    from ..hlm_files.command_options import Options
    from ..posterior.record import PosteriorSample
    from ..runs.jobs import Job

TEXT = """\
Draw from the posterior distribution of the model in an HLM command file (or in a text file of equations).

The default priors are weakly informative and take their scale from the data; they are printed. Each estimate
stands beside that of restricted maximum likelihood.

  hlmbayes sample hsb4.hlm --seed 1
  hlmbayes sample hsb4.hlm --seed 1 --html posterior.html --figures figures
  hlmbayes sample hsb4.hlm --seed 1 --save posterior.nc        to be read by hlmbayes.load_posterior
  hlmbayes sample model.txt --level1 students.csv --level2 schools.csv --id school"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `sample` has of its own; where the data are is added by the caller."""
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="command file (.hlm), or equations (.txt, .eq)"
    )
    parser.add_argument("--equations", metavar="TEXT", help="the equations themselves, instead of FILE")
    group = parser.add_argument_group("sampling")
    group.add_argument("--seed", type=int, default=None, help="same seed, same draws")
    group.add_argument("--draws", type=int, default=1000, help="draws of each chain (1000)")
    group.add_argument("--chains", type=int, default=4, help="chains (4)")
    group.add_argument("--tune", type=int, default=1000, help="steps to adapt, for nuts (1000)")
    group.add_argument("--sampler", choices=("direct", "nuts"), help="direct where it passes its check")
    group.add_argument("--width", type=float, default=1.0, help="multiply the scales of the priors (1)")
    group.add_argument("--no-progress", action="store_true", help="no progress bar")
    results = parser.add_argument_group("results")
    results.add_argument("--output", metavar="FILE", help="write the text to FILE, not to the screen")
    results.add_argument("--json", metavar="FILE", help="write the results as JSON; - for the screen")
    results.add_argument("--html", metavar="FILE", help="write the results and figures as an HTML page")
    results.add_argument("--figures", metavar="FOLDER", help="write the figures as PNG files")
    results.add_argument("--save", metavar="FILE", help="write all draws (netCDF, .nc)")


def sample(args: argparse.Namespace) -> int:
    """Draw and write what is asked for."""
    from ..priors.priors import Priors
    from ..report.posterior_report import as_json, as_text, page
    from ..runs.jobs import job_asked, read_data

    job, _ = job_asked(args)
    _refuse_weights(job)
    check_places(outputs_of(args, ("output", "json", "html", "save")), inputs_of(args, job))
    if args.figures is not None:
        check_folder(args.figures)
    data = read_data(job)
    # PyMC's remarks are for its users; what matters of them is in the verdict
    logging.getLogger("pymc").addFilter(lambda record: record.levelno >= logging.ERROR)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", HLMWarning)
        fit = record_of(job.model.fit(data))
        post = job.model.sample(
            data, priors=Priors(width=args.width), seed=args.seed, draws=args.draws, chains=args.chains,
            tune=args.tune, sampler=args.sampler, progressbar=not args.no_progress,
        )  # fmt: skip
    posterior = record_of(post)
    messages = [str(w.message) for w in caught if issubclass(w.category, HLMWarning)]
    for message in [*job.warnings, *messages]:
        complain("warning", message)
    for sentence in [*job.not_done, *_left_out(job.options)]:
        complain("left out", sentence)
    if args.json is not None:
        put(args.json, as_json(posterior, fit))
    drawn = _figures(posterior, fit) if args.html or args.figures else {}
    if args.figures is not None:
        folder = Path(args.figures)
        folder.mkdir(exist_ok=True)
        for name, image in drawn.items():
            (folder / f"{name}.png").write_bytes(image)
    if args.html is not None:
        put(args.html, page(posterior, fit, drawn))
    if args.output is not None or "-" not in (args.json, args.html):
        put(args.output or "-", as_text(posterior, fit))
    if args.save is not None:
        post.save(args.save)
    return DONE


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


def _figures(posterior: PosteriorSample, fit: Estimates) -> dict[str, bytes]:
    """Draw the figures off screen, as PNG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from ..figures.posterior_plots import figures

    result = {}
    for name, figure in figures(posterior, fit).items():
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        plt.close(figure)
        result[name] = buffer.getvalue()
    return result
