"""What a command file, or equations and data files, ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ..data.paths import EQUATION_FILES, MODEL_FILES
from ..data.read_options import ReadOptions, codes_from_text
from ..data.reading import READERS
from ..data.weights import Frequencies
from ..equations.model import TwoLevelModel
from ..errors import CommandFileError
from ..estimation.prepare import Level1Asked
from ..hlm_files.command_file import has_equations_of_hlm, read_command_file
from ..hlm_files.command_options import Options, parse_options
from ..hlm_files.mdm_template import DataSource, read_text
from ..many_fits.replicate_weights import Replication
from .equation_files import data_file, id_pair, read_equation_file


@dataclass(frozen=True, slots=True)
class Job:
    """A model, what to do with it, and where its data are.

    ``name`` is the command file's (or the equations') name for the listing; ``warnings`` are what the
    numbers depend on and is not done, or is not understood; ``not_done`` what else was asked for; ``file``
    is what was read; ``folder`` is that of a command file, None for equations. ``replication``: the
    replicate weights that standard errors are to come from, and which data sets' (`sampling_from`).
    ``level1`` is what is said of level 1 and of how rows count beside the command file. ``imputed``: the
    level-1 files of the other imputed data sets; ``imputed_by``: the column that numbers them in one file.
    """

    model: TwoLevelModel
    options: Options
    source: DataSource
    name: str
    algorithm: Literal["hlm", "exact"] = "hlm"
    warnings: tuple[str, ...] = ()
    not_done: tuple[str, ...] = ()
    file: Path | None = None
    folder: Path | None = None
    replication: Replication | None = None
    sampling_from: str = "all"
    level1: Level1Asked = field(default_factory=Level1Asked)
    imputed: tuple[Path, ...] = ()
    imputed_by: str = ""

    @property
    def several(self) -> bool:
        """Whether more is fitted than one model to one data set."""
        imputed = self.options.plausible_values or self.imputed or self.imputed_by
        return bool(imputed) or self.replication is not None

    def df(self, robust: bool | str | None = None) -> str | None:
        """Name HLM 7's degrees of freedom where the job is HLM 7's; None: those of ``robust``."""
        return "hlm7" if self.options.hlm == "7" and robust not in ("CR1", "CR2") else None

    def refuse_several(self, what: str, instead: str = "") -> None:
        """Raise a CommandFileError where several fits are pooled, of which ``what`` says what there is not.

        ``instead`` says who does it.
        """
        if not self.several:
            return
        sets = {
            "plausvals:": self.options.plausible_values, "imputed:": self.imputed,
            "imputed_by:": self.imputed_by,
        }  # fmt: skip
        asked = next((name for name, given in sets.items() if given), "--replicates")
        kind = "pooled data sets" if asked in sets else "many fits"
        also = f"; {instead}" if asked in sets and instead else ""
        raise CommandFileError(
            f"{self.name}: {asked} {what} of {kind}; take {asked} out for that of one of them{also}"
        )

    @property
    def inputs(self) -> list[Path]:
        """The files that are read."""
        template = (self.folder or Path()) / self.source.template if self.source.template else None
        files = (self.file, template, self.source.level1, self.source.level2, *self.imputed)
        return [Path(file) for file in files if file is not None]


def job_from_file(
    path: str, *, level1: str | None = None, level2: str | None = None, id: str | None = None
) -> Job:
    """Read a command file (.hlm; in .txt what has a level1: line) or a file of equations (.txt, .eq)."""
    file = Path(path)
    _refuse_other_files(file)
    if file.suffix.lower() in EQUATION_FILES and not has_equations_of_hlm(text := read_text(file)):
        where = {"level1": level1, "level2": level2, "id": id}
        return replace(job_from_equations(text, file.name, folder=file.parent, **where), file=file)
    command = read_command_file(file, level1=level1, level2=level2, id=id)
    assert command.source is not None  # read() finds the data or raises
    return Job(
        command.model, command.options, command.source, command.name, "hlm", command.warnings,
        command.not_done, file, file.parent,
    )  # fmt: skip


def _refuse_other_files(file: Path) -> None:
    """Say what a file is that is given in place of a command file."""
    if file.is_dir():
        found = sorted(p.name for p in file.iterdir() if p.suffix.lower() in MODEL_FILES)
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
    folder: Path | None = None,
) -> Job:
    """Make a job of equations, or a formula, and data files.

    The text may say itself where the data are, seen from ``folder``: see `hlmbayes.runs.equation_files`. What
    the arguments say goes before.
    """
    found = read_equation_file(text, name)
    said = found.settings
    model = TwoLevelModel(found.equations, **found.outcome)
    files = [None if file is None else Path(file) for file in (level1, level2)]
    if level1 is None:
        own = (said.get("data"), said.get("level2") if level2 is None else None)
        files = [data_file(folder or Path(), f) if f else file for f, file in zip(own, files, strict=True)]
    if files[0] is None:
        raise CommandFileError(
            "equations do not say where the data are: add the lines data: FILE and id: NAME (level2: FILE if "
            "the level-2 variables are in a file of their own), or --level1 FILE, --level2 FILE and --id NAME"
        )
    first, second = id_pair(id or said.get("id") or model.group or "id")
    codes = codes_from_text(found.missing)
    source = DataSource(
        " + ".join(file.name for file in files if file is not None), files[0], files[1], first,
        id2="" if second == first else second, reading=ReadOptions(missing=(codes, codes)),
    )  # fmt: skip
    options, warnings, not_done = parse_options(list(found.options))
    named = {key: said[key] for key in ("title", "method", "hlm") if key in said}
    job = Job(model, replace(options, output="", **named), source, name, said.get("algorithm", "exact"),  # type: ignore[arg-type]
              warnings, not_done)  # fmt: skip
    return _of_rows(job, said, folder or Path())


def _of_rows(job: Job, said: Mapping[str, str], folder: Path) -> Job:
    """Return the job with what a file of equations says of replicate weights, rows and imputed data."""
    job = with_survey(
        job, replicates=said.get("replicates"), sampling_from=said.get("sampling_from"),
        method=said.get("replicate_method"), of=said.get("replicates_of"),
        fay=_number("fay", said["fay"]) if "fay" in said else None,
    )  # fmt: skip
    level1: Level1Asked = {
        "variance_known": said.get("known_variance"), "precision": said.get("precision"),
    }  # fmt: skip
    if said.get("frequency") or said.get("frequency2"):
        level1["frequency"] = Frequencies(said.get("frequency"), said.get("frequency2"))
    files = tuple(_imputed_file(folder, name) for name in _names(said.get("imputed", "")))
    return replace(job, level1=level1, imputed=files, imputed_by=said.get("imputed_by", ""))


def _imputed_file(folder: Path, name: str) -> Path:
    """Give a file of imputed data; refuse several with blanks between them, as the option has them."""
    file, words = data_file(folder, name), name.split()
    if len(words) > 1 and not file.exists() and all(data_file(folder, word).exists() for word in words):
        raise CommandFileError(f"imputed: {name} is several files: write commas between them")
    return file


def asked_otherwise(
    job: Job,
    *,
    method: Literal["REML", "ML"] | None = None,
    algorithm: Literal["hlm", "exact"] | None = None,
    varianceknown: Literal["variance", "precision"] | None = None,
    hlm: str | None = None,
) -> Job:
    """Return the job with another method, algorithm, HLM or reading of varianceknown:, where one is given.

    Raises
    ------
    CommandFileError
        The restricted form of a likelihood that has none.
    """
    law = job.model.outcome_law
    if method == "REML" and not law.is_normal and (algorithm or job.algorithm) == "exact":
        raise CommandFileError(
            f"{job.name}: the likelihood of {job.model.outcome}, which is {law.name}, has no restricted "
            "form: leave --method out, or add --algorithm hlm"
        )
    known = varianceknown or job.options.variance_known_is
    options = replace(job.options, method=method or job.options.method, variance_known_is=known)
    if hlm is not None:
        options = replace(options, hlm=hlm, hlm_sign="")
    return replace(job, options=options, algorithm=algorithm or job.algorithm)


def with_survey(
    job: Job, *, level1_weight: str | None = None, level2_weight: str | None = None,
    plausible_values: str | None = None, replicates: str | None = None, sampling_from: str | None = None,
    imputed: Sequence[str] | None = None, imputed_by: str | None = None, **options: Any,
) -> Job:  # fmt: skip
    """Return the job with weights, plausible values, imputed data and replicates, where they are given.

    ``plausible_values`` and ``replicates`` are names with commas between them; ``options`` are those of
    `Replication`, None where they are not given.

    Raises
    ------
    CommandFileError
        Options of replicate weights without any.
    """
    weights = {"level1_weight": level1_weight, "level2_weight": level2_weight}
    given: dict[str, Any] = {name: value for name, value in weights.items() if value is not None}
    if plausible_values is not None:
        given["plausible_values"] = _names(plausible_values)
    job = replace(job, options=replace(job.options, **given))
    if imputed is not None:
        job = replace(job, imputed=tuple(Path(file) for file in imputed))
    if imputed_by is not None:
        job = replace(job, imputed_by=imputed_by)
    asked = {name: value for name, value in options.items() if value is not None}
    if replicates is None:
        if asked or sampling_from:
            raise CommandFileError("options of replicate weights without any: name them with --replicates")
        return job
    replication = Replication.asked(_names(replicates), asked)
    return replace(job, replication=replication, sampling_from=sampling_from or "all")


def _number(key: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise CommandFileError(f"{key}: {text} is not understood; wanted a number") from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def run_of(job: Job, output: str | None = None) -> dict[str, Any]:
    """Give what a listing says about the run, fields of `Run`; ``output`` names the listing's file."""
    options = job.options
    return {
        "title": options.title or "no title",
        "data_source": job.source.mdm,
        "command_file": job.name,
        "output_file": output or options.output,
        "max_iterations": options.max_iterations,
        "full_output": options.full_output,
        "ols_units": options.lev1ols,
        "hlm": options.hlm,
    }
