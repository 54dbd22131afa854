"""What a command file, or equations and data files, ask for; doing it; the tables of it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..data.reading import READERS
from ..errors import CommandFileError
from ..hlm_files.command_options import Options
from ..hlm_files.mdm_template import DataSource

if TYPE_CHECKING:
    from ..data.two_level import TwoLevelData
    from ..equations.model import TwoLevelModel
    from ..estimation.estimates import Estimates
    from ..many_fits.pooled_fit import PooledFit
    from ..many_fits.rubin import PooledTest
    from ..report.tables import NoteGroup, Tables

EQUATION_FILES = (".txt", ".eq")
ENOUGH_ITERATIONS = 100_000  # numit:100,y has no limit; HLM's stop rule ends far earlier


@dataclass(frozen=True, slots=True)
class Job:
    """A model, what to do with it, and where its data are.

    ``name`` is the command file's (or the equations') name for the listing; ``warnings`` are what the
    numbers depend on and is not done, or is not understood; ``not_done`` what else was asked for;
    ``folder`` is that of the command file, None for equations.
    """

    model: TwoLevelModel
    options: Options
    source: DataSource
    name: str
    warnings: tuple[str, ...] = ()
    folder: Path | None = None
    not_done: tuple[str, ...] = ()


def job_asked(args: argparse.Namespace) -> tuple[Job, str]:
    """Give the job of a command file or equations, and the algorithm such a one gets by default."""
    if (args.file is None) == (args.equations is None):
        raise CommandFileError(
            "got "
            + ("neither a file nor" if args.file is None else "both a file and")
            + " --equations: give one of them (--help shows examples)"
        )
    where = {"level1": args.level1, "level2": args.level2, "id": args.id}
    if args.file is None:
        return job_from_equations(args.equations, **where), "exact"
    job = job_from_file(args.file, **where)
    return job, "exact" if job.folder is None else "hlm"


def job_from_file(
    path: str, *, level1: str | None = None, level2: str | None = None, id: str | None = None
) -> Job:
    """Read a command file (.hlm; in .txt what has a level1: line) or a file of equations (.txt, .eq)."""
    from ..hlm_files.command_file import has_equations_of_hlm, read
    from ..hlm_files.mdm_template import read_text

    file = Path(path)
    _refuse_other_files(file)
    if file.suffix.lower() in EQUATION_FILES and not has_equations_of_hlm(text := read_text(file)):
        return job_from_equations(text, file.name, level1=level1, level2=level2, id=id)
    command = read(file, level1=level1, level2=level2, id=id)
    assert command.source is not None  # read() finds the data or raises
    return Job(
        command.model, command.options, command.source, command.name, command.warnings, file.parent,
        command.not_done,
    )  # fmt: skip


def _refuse_other_files(file: Path) -> None:
    """Say what a file is that is given in place of a command file."""
    if file.is_dir():
        found = sorted(p.name for p in file.iterdir() if p.suffix.lower() in (".hlm", *EQUATION_FILES))
        inside = f"in it: {', '.join(found[:8])}" if found else "there is none in it"
        raise CommandFileError(f"{file} is a folder; name a command file ({inside})")
    suffix = file.suffix.lower()
    if suffix in (".mdmt", ".mdm"):
        raise CommandFileError(
            f"{file.name} says what the data are, not what to do; name the command file, .hlm"
        )
    if suffix in READERS:
        raise CommandFileError(
            f"{file.name} is a data file; name a command file (.hlm) or equations (.txt), and the data with "
            f"--level1 {file.name}, or see what is in it: hlmbayes describe {file.name}"
        )


def job_from_equations(
    text: str,
    name: str = "equations",
    *,
    level1: str | None = None,
    level2: str | None = None,
    id: str | None = None,
) -> Job:
    """Make a job of equations and data files."""
    from ..equations.model import TwoLevelModel

    model = TwoLevelModel(text)
    if level1 is None:
        raise CommandFileError(
            "equations do not say where the data are: add --level1 FILE, --level2 FILE if the level-2 "
            "variables are in a file of their own, and --id NAME"
        )
    files = " + ".join(Path(file).name for file in (level1, level2) if file is not None)
    source = DataSource(files, Path(level1), Path(level2) if level2 else None, id or "id")
    return Job(model, Options(output=""), source, name)


def read_data(job: Job) -> TwoLevelData:
    """Read the job's data; rows with missing values go now if the template says so (timeofdeletion:now)."""
    from ..data.two_level import read

    source = job.source
    data = read(source.level1, source.level2, id=(source.id, source.id2 or source.id))
    if job.folder is not None:  # HLM's own files
        data = _with_short_names(job, data)
    if source.deletion == "now" and source.level1_names:
        return data.drop_incomplete(source.level1_names)
    return data


def _with_short_names(job: Job, data: TwoLevelData) -> TwoLevelData:
    """Give the columns the names HLM's files use, which have eight characters at most."""
    from ..hlm_files.short_names import with_short_names

    model, options, source = job.model, job.options, job.source
    known = {column.lower() for column in (*data.level1, *data.level2)}
    variance = model.log_sigma2.variables if model.log_sigma2 else ()  # of either level
    variance = tuple(name for name in variance if name.lower() not in known)
    level1 = [model.outcome, *model.level1_variables, *source.level1_names, *variance]
    level1 += [name for name in (options.level1_weight, options.variance_known) if name]
    level1 += [*options.plausible_values, *(options.residuals1.variables if options.residuals1 else ())]
    level2 = [*model.level2_variables, *source.level2_names, *variance]
    level2 += [options.level2_weight] if options.level2_weight else []
    level2 += options.residuals2.variables if options.residuals2 else ()
    return with_short_names(data, level1, level2)


def fit_job(job: Job, data: TwoLevelData, algorithm: str = "hlm") -> Estimates:
    """Estimate the job's model as its options say."""
    from ..estimation.estimate import fit

    return fit(job.model, data, algorithm=algorithm, **fit_options(job.options))


def fit_options(options: Options) -> dict[str, Any]:
    """Return the options of a command file that `estimate.fit` takes, weights among them."""
    limit = options.max_iterations
    found: dict[str, Any] = {
        "method": options.method,
        "max_iterations": max(limit, ENOUGH_ITERATIONS) if options.keep_going else limit,
        "stopval": options.stopval,
        "accel": options.accel,
    }
    if options.level1_weight or options.level2_weight:
        from ..data.weights import Weights

        found["weights"] = Weights(options.level1_weight, options.level2_weight)
    if options.variance_known:
        found["variance_known"] = options.variance_known
    if options.fix_sigma2 is not None:
        found["sigma2"] = options.fix_sigma2
    return found


def fit_pooled(job: Job, algorithm: str = "hlm") -> PooledFit:
    """Estimate the job's model for its plausible values, or in its imputed data sets (.mdm), and pool."""
    from ..many_fits.pooled_fit import fit_imputed

    names, files = job.options.plausible_values, _mdm_files(job.options)
    if files and len(files) < len(names):
        raise CommandFileError(
            f"plausvals: names files ({', '.join(files)}) and variables together: wanted one kind, plausible "
            "values of the outcome or .mdm files of imputed data"
        )
    options = {"algorithm": algorithm, **fit_options(job.options)}
    if files:
        return fit_imputed(job.model, [read_data(each) for each in _imputed_jobs(job, files)], **options)
    first = [] if job.model.outcome.lower() in (name.lower() for name in names) else [job.model.outcome]
    return fit_imputed(job.model, read_data(job), outcomes=[*first, *names], **options)


def _mdm_files(options: Options) -> list[str]:
    """Give the .mdm files of imputed data that plausvals: names."""
    return [name for name in options.plausible_values if name.lower().endswith(".mdm")]


def _imputed_jobs(job: Job, files: list[str]) -> list[Job]:
    """Return the job with the data of each .mdm, its own first."""
    from ..hlm_files.mdm_template import find_template, own_name, read_template

    jobs = [] if job.source.mdm.lower() in (own_name(name).lower() for name in files) else [job]
    for name in files:
        template = find_template(job.folder or Path(), own_name(name))
        if template is None:
            raise CommandFileError(
                f"{job.name}: plausvals: names {name}, but there is no {own_name(name)}t beside the command "
                "file"
            )
        jobs.append(replace(job, source=read_template(template)[0]))
    return jobs


def pooled_listing(
    job: Job,
    pooled: PooledFit,
    tests: Sequence[PooledTest],
    missed: Sequence[str],
    *,
    output: str | None = None,
) -> str:
    """Return the listing of every data set, the pooled tables, their ``tests`` and what could not be done."""
    options, files = job.options, _mdm_files(job.options)
    text = pooled.listing(
        each=True,
        title=options.title or "no title",
        data_source=job.source.mdm,
        data_sources=[each.source.mdm for each in _imputed_jobs(job, files)] if files else (),
        command_file=job.name,
        output_file=output or options.output,
        max_iterations=options.max_iterations,
        full_output=options.full_output,
        ols_units=options.lev1ols,
        warnings=job.warnings,
        not_done=job.not_done,
    )
    lines = [f" {line}" for line in (*tests, *missed)]
    return "\n".join([text, *lines]) + ("\n" if lines else "")


def pooled_tests(job: Job, pooled: PooledFit) -> list[PooledTest]:
    """Do the command file's hypotheses by D1, with the robust covariances as HLM."""
    return [pooled.wald(rows) for rows in job.options.hypotheses]


def not_pooled(job: Job) -> list[str]:
    """Say what a command file asks for that cannot be had of pooled data sets."""
    options, sentences = job.options, []
    if options.deviance is not None:
        sentences.append("deviance: pooled data sets have no one deviance, so models are not compared")
    if options.residuals1 or options.residuals2:
        sentences.append("resfil1, resfil2: residual files of pooled data sets were not written")
    if options.homogeneity:
        sentences.append("homvar: the test of homogeneity cannot be pooled and was not done")
    return sentences


def job_tables(
    job: Job, fit: Estimates, *, output: str | None = None, warnings: tuple[str, ...] = ()
) -> Tables:
    """Return the tables of a fitted job, its tests included."""
    from ..report import report_tables
    from .asked import asked_tests

    options = job.options
    asked = asked_tests(fit, options)
    return report_tables(
        fit,
        title=options.title or "no title",
        data_source=job.source.mdm,
        command_file=job.name,
        output_file=output or options.output,
        max_iterations=options.max_iterations,
        full_output=options.full_output,
        ols_units=options.lev1ols,
        warnings=(*job.warnings, *warnings, *asked.warnings),
        not_done=job.not_done,
        hypotheses=asked.hypotheses,
        comparison=asked.comparison,
        homogeneity=asked.homogeneity,
        notes=(*_went_on(options, fit), *asked.notes),
    )


def _went_on(options: Options, fit: Estimates) -> tuple[NoteGroup, ...]:
    """Say that there were more iterations than the header has for their maximum."""
    from ..report.tables import NoteGroup

    limit = options.max_iterations
    if not options.keep_going or fit.iterations <= limit or fit.algorithm != "hlm":
        return ()
    sentence = f"numit:{limit},y asks to go on after iteration {limit} until the iterations converge."
    return (NoteGroup("Iterations", (sentence,)),)


def with_method(job: Job, method: Literal["REML", "ML"] | None) -> Job:
    """Return the job with another method of estimation."""
    return job if method is None else replace(job, options=replace(job.options, method=method))
