"""`hlmbayes sample`: the posterior of a command file's model, beside its REML optimum."""

from __future__ import annotations

import argparse
import base64
import io
import json
import warnings
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CommandFileError, HLMWarning
from .console import DONE, complain, put
from .output_jobs import check_folder, check_places, inputs_of, outputs_of

if TYPE_CHECKING:
    import pandas as pd

    from ..estimation.fit import Fit
    from ..posterior.posterior import Posterior
    from .jobs import Job

TEXT = """\
Draw from the posterior distribution of the model in an HLM command file (or in a text file of equations).

The default priors are weakly informative and take their scale from the data; they are printed. Each estimate
stands beside that of restricted maximum likelihood.

  hlmbayes sample hsb4.hlm --seed 1
  hlmbayes sample hsb4.hlm --seed 1 --html posterior.html --figures figures
  hlmbayes sample hsb4.hlm --seed 1 --save posterior.nc        to be read by hlmbayes.load_posterior
  hlmbayes sample model.txt --level1 students.csv --level2 schools.csv --id school"""
CSS = """\
body { font-family: system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } th, td { padding: .2rem .7rem; text-align: right; }
th { border-bottom: 1px solid #767676; } td:first-child, th:first-child { text-align: left; }
pre { background: #f4f4f4; padding: .7rem; overflow-x: auto; } img { max-width: 100%; }
.warning { border-left: 4px solid #D55E00; padding: .3rem .8rem; }"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `sample` has of its own; where the data are is added by the caller."""
    parser.add_argument("file", metavar="FILE", help="command file (.hlm), or equations (.txt, .eq)")
    group = parser.add_argument_group("sampling")
    group.add_argument("--seed", type=int, default=None, help="same seed, same draws")
    group.add_argument("--draws", type=int, default=1000, help="draws of each chain (1000)")
    group.add_argument("--chains", type=int, default=4, help="chains (4)")
    group.add_argument("--tune", type=int, default=1000, help="steps to adapt, for nuts (1000)")
    group.add_argument("--sampler", choices=("direct", "nuts"), help="direct where it passes its check")
    group.add_argument("--width", type=float, default=1.0, help="multiply the scales of the priors (1)")
    group.add_argument("--no-progress", action="store_true", help="no progress bar")
    results = parser.add_argument_group("results")
    results.add_argument("--json", metavar="FILE", help="write the results as JSON; - for the screen")
    results.add_argument("--html", metavar="FILE", help="write the results and figures as an HTML page")
    results.add_argument("--figures", metavar="FOLDER", help="write the figures as PNG files")
    results.add_argument("--save", metavar="FILE", help="write all draws (netCDF, .nc)")


def sample(args: argparse.Namespace) -> int:
    """Draw and write what is asked for."""
    from ..posterior.priors import Priors
    from .jobs import job_from_file, read_data

    job = job_from_file(args.file, level1=args.level1, level2=args.level2, id=args.id)
    _refuse_weights(job)
    check_places(outputs_of(args, ("json", "html", "save")), inputs_of(args, job))
    if args.figures is not None:
        check_folder(args.figures)
    data = read_data(job)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", HLMWarning)
        fit = job.model.fit(data)
        posterior = job.model.sample(
            data, priors=Priors(width=args.width), seed=args.seed, draws=args.draws, chains=args.chains,
            tune=args.tune, sampler=args.sampler, progressbar=not args.no_progress,
        )  # fmt: skip
    messages = [str(w.message) for w in caught if issubclass(w.category, HLMWarning)]
    for message in [*job.warnings, *messages]:
        complain("warning", message)
    if args.json is not None:
        put(args.json, as_json(posterior, fit))
    if args.save is not None:
        posterior.save(args.save)
    drawn = _figures(posterior, fit) if args.html or args.figures else {}
    if args.figures is not None:
        folder = Path(args.figures)
        folder.mkdir(exist_ok=True)
        for name, image in drawn.items():
            (folder / f"{name}.png").write_bytes(image)
    if args.html is not None:
        put(args.html, page(posterior, fit, drawn))
    if args.json != "-" and args.html != "-":
        put("-", as_text(posterior, fit))
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
            raise CommandFileError(
                f"{job.name}: {keyword}:{value} cannot be sampled by this command: hlmbayes run does it; "
                "from Python, hlm.sample_imputed draws for plausible values and imputed data"
            )


def _figures(posterior: Posterior, fit: Fit) -> dict[str, bytes]:
    """Draw the figures off screen, as PNG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from ..report.posterior_plots import figures

    result = {}
    for name, figure in figures(posterior, fit).items():
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        plt.close(figure)
        result[name] = buffer.getvalue()
    return result


def _parts(posterior: Posterior, fit: Fit) -> list[tuple[str, str | pd.DataFrame]]:
    """Give heading and content of each part of the report."""
    says, settings = posterior.sampler, posterior.settings
    how = (
        f"{settings.chains} chains of {settings.draws} draws, sampler {says['sampler']}, seed {settings.seed}"
    )
    return [
        ("The model", posterior.model.equations()),
        ("Priors", posterior.target.priors.describe()),
        (f"The posterior: {how}", posterior.summary()),
        ("Can the draws be used?", str(posterior.convergence)),
        ("Beside restricted maximum likelihood", posterior.compare(fit)),
    ]


def as_text(posterior: Posterior, fit: Fit) -> str:
    """Give the report as text."""
    lines = []
    for heading, content in _parts(posterior, fit):
        body = content if isinstance(content, str) else content.to_string(float_format="{:.4g}".format)
        lines += [heading, "-" * len(heading), body, ""]
    return "\n".join(lines)


def as_json(posterior: Posterior, fit: Fit) -> str:
    """Give summary, comparison, priors and settings as JSON; nan as null."""
    document: dict[str, Any] = {
        "model": posterior.model.equations(),
        "priors": posterior.target.priors.describe().split("\n"),
        "settings": json.loads(posterior.data.attrs["settings"]),
        "sampler": posterior.sampler,
        "usable": posterior.convergence.ok,
        "convergence": str(posterior.convergence),
        "summary": json.loads(posterior.summary().to_json(orient="index", double_precision=15)),
        "compare": json.loads(posterior.compare(fit).to_json(orient="index", double_precision=15)),
    }
    return json.dumps(document, indent=1) + "\n"


def page(posterior: Posterior, fit: Fit, drawn: dict[str, bytes]) -> str:
    """Give the report as an HTML page that needs no other file."""
    title = f"Posterior of {escape(posterior.model.outcome)}"
    body = [f"<h1>{title}</h1>"]
    if not posterior.convergence.ok:
        body.append(f'<p class="warning">{escape(str(posterior.convergence))}</p>')
    for heading, content in _parts(posterior, fit):
        body.append(f"<h2>{escape(heading)}</h2>")
        if isinstance(content, str):
            body.append(f"<pre>{escape(content)}</pre>")
        else:
            body.append(content.to_html(float_format="{:.4g}".format, border=0))
    for name, image in drawn.items():
        source = base64.b64encode(image).decode()
        body.append(f'<p><img alt="{escape(name)}" src="data:image/png;base64,{source}"></p>')
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{CSS}</style>'
    return head + "\n".join(body) + "</html>\n"
