"""`hlmbayes sample`: the posterior of a command file's model; `hlmbayes warm`: compiles what it wants."""

from __future__ import annotations

import argparse

from .console import DONE, write

TEXT = """\
Draw from the posterior distribution of the model in an HLM command file (or in a text file of equations).

The default priors are weakly informative and take their scale from the data; they are printed. Each estimate
stands beside that of restricted maximum likelihood.

  hlmbayes sample hsb4.hlm --seed 1
  hlmbayes sample hsb4.hlm --seed 1 --html posterior.html --figures figures
  hlmbayes sample hsb4.hlm --seed 1 --save posterior.nc        to be read by hlmbayes.load_posterior
  hlmbayes sample model.txt --level1 students.csv --level2 schools.csv --id school"""


WARM = """\
Compile what NUTS (--sampler nuts) samples with and keep it on disk: once after an installation, or when an
image of a machine is made, so that nobody waits for it. Without it the first posterior by NUTS takes some
five seconds longer. The direct sampler, which is taken unless it fails its check, needs nothing compiled.

  hlmbayes warm"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `sample` has of its own; what is analysed is added by the caller."""
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
    from ..runs.sampled import sample_job
    from .options import FILES, job_of, outputs_of

    results = sample_job(
        job_of(args), outputs_of(args, (*FILES, "save")), figures=args.figures, save=args.save,
        priors=Priors(width=args.width), seed=args.seed, draws=args.draws, chains=args.chains, tune=args.tune,
        sampler=args.sampler, progressbar=not args.no_progress,
    )  # fmt: skip
    return write(args, results)


def warm(args: argparse.Namespace) -> int:
    """Compile what NUTS samples with, and say where it is kept."""
    from ..sampling.nuts import compile_density

    seconds, folder = compile_density()
    print(f"{'Compiled' if seconds > 1 else 'There already'} ({seconds:.1f} s): {folder}")
    return DONE
