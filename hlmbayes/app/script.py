"""The model and its settings as text, as Python and as a command line: each gives the same numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from shlex import quote
from textwrap import indent
from typing import Any

from ..data.missing import codes_of
from ..data.read_options import EVERY
from ..hlm_files.command_options import Options
from ..hlm_files.command_writer import changed_lines
from ..many_fits.replicate_weights import Replication
from ..runs.estimate import fit_options
from ..runs.jobs import Job
from ..words import plain
from .beside import beside_of
from .opening import HSB, SETTING, Opened


def equations_text(job: Job, here: Opened) -> str:
    """The analysis as a text of equations, which says where the data are and every setting."""
    return "\n".join([*_where(here), *_settings(job), "", job.model.equations()]) + "\n"


def _where(here: Opened) -> list[str]:
    """The lines of a text of equations that say where the data are."""
    source = here.source
    second = f"level2: {source.level2.name}" if source.level2 else ""
    ids = f"{source.id}, {source.id2}" if source.id2 else source.id
    codes = [f"missing: {text}" for text in _codes_as_text(here)]
    return [line for line in (f"data: {source.level1.name}", second, f"id: {ids}", *codes) if line]


def _codes(here: Opened) -> dict[str, list[float | str]]:
    """Missing codes by variable; of every one where both levels have the same, as templates may not."""
    both = here.source.reading.missing
    if both[0].get(EVERY) == both[1].get(EVERY):
        return {name: list(values) for codes in both for name, values in codes.items()}
    of = {name.lower(): codes_of(name, both[1]) for name in here.level2}
    of |= {name.lower(): codes_of(name, both[0]) for name in here.level1}
    return {name: list(values) for name, values in of.items() if values}


def _codes_as_text(here: Opened) -> list[str]:
    """Write them as texts of equations and the command line have them."""
    found = []
    for name, values in _codes(here).items():
        codes = ",".join(f"{code:.15g}" if isinstance(code, float) else code for code in values)
        found.append(codes if name == EVERY else f"{name}={codes}")
    return found


def _settings(job: Job) -> list[str]:
    options = job.options
    lines = [f"algorithm: {job.algorithm}", f"method: {options.method}"]
    lines += [f"title: {options.title}"] if options.title and options.title != "no title" else []
    lines += [f"hlm: {options.hlm}"] if options.hlm != "6" else []
    if options.variance_known and options.variance_known_is == "precision":
        lines.append(f"precision: {options.variance_known}")
        options = replace(options, variance_known=None)
    return [*lines, *beside_of(job).lines(), *changed_lines(job.model, options)]


def python_script(job: Job, here: Opened) -> str:
    """A script that reads the data, estimates the model and prints the listing."""
    options = job.options
    lines = ["import hlmbayes as hlm", "", f"data = {_read(job, here)}", 'model = hlm.Model("""']
    equations = job.model.equations().replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    lines += [indent(equations, "    "), '""")', f"fit = {_fit(job)}"]
    said = {"title": options.title, "full_output": options.full_output, "hlm": options.hlm.strip("6")}
    run = {} if job.several else {name: value for name, value in said.items() if value}
    lines.append(f"print(fit.listing({', '.join(f'{name}={value!r}' for name, value in run.items())}))")
    lines += [*_tests(job), "", "# the settings, which the window reads when it opens this file"]
    lines += [f"{SETTING}{line}" for line in (*_where(here), *_settings(job))]
    return "\n".join(lines) + "\n"


def _read(job: Job, here: Opened) -> str:
    if here.title == HSB and not job.imputed and not job.imputed_by:
        return "hlm.datasets.hsb()"
    source, reading = here.source, here.source.reading
    files = [repr(file.name) for file in (source.level1, source.level2) if file is not None]
    if job.imputed:
        files[0] = f"[{', '.join(repr(file.name) for file in (source.level1, *job.imputed))}]"
    more = [f"by={job.imputed_by!r}"] if job.imputed_by else []
    more += [f"level2_missing={reading.level2_missing!r}"] if reading.level2_missing != "refuse" else []
    more += [f"{name}={said!r}" for name, said in _said_of(here).items()]
    more += [f"missing={codes!r}"] if (codes := _codes(here)) else []
    ids = (source.id, source.id2) if source.id2 else source.id
    read = "read_imputed" if job.imputed or job.imputed_by else "read"
    return f"hlm.{read}({', '.join([*files, f'id={ids!r}', *more])})"


def _said_of(here: Opened) -> dict[str, Any]:
    """What was said of numbers that are text, and of sheets."""
    reading = here.source.reading
    found = {name: said for name in ("decimal", "thousands", "percent") if (said := getattr(reading, name))}
    one = reading.sheet if reading.two_sheets else reading.sheet[0]
    return found | ({"sheet": one} if one else {})


def _as_options(said: Mapping[str, Any]) -> str:
    """Write it as options of the command line; of two sheets the first is that of level 1."""
    sheets = said.get("sheet", ())
    found = [f" --{name} {quote(said[name])}" for name in ("decimal", "thousands") if name in said]
    found += [" --percent"] if "percent" in said else []
    found += [f" --sheet {quote(str(s or 1))}" for s in ((sheets,) if isinstance(sheets, str) else sheets)]
    return "".join(found)


def _fit(job: Job) -> str:
    """The call that estimates."""
    options, arguments = job.options, _fit_arguments(job)
    if (asked := job.replication) is not None:  # which are of weights, and nothing else can be asked for
        weights = {"weights": arguments["weights"]} if "weights" in arguments else {}
        arguments = {**weights, "replicates": repr(list(asked.names)), **_replication(asked)}
    imputed = options.plausible_values or job.imputed or job.imputed_by
    if options.plausible_values:
        names = list(dict.fromkeys((job.model.outcome, *options.plausible_values)))
        arguments = {"outcomes": repr(names), **arguments}
    if imputed and asked is not None:
        arguments["sampling_from"] = repr(job.sampling_from)
    begin = "hlm.fit_imputed(model, data, " if imputed else "model.fit(data, "
    if asked is not None and not imputed:
        begin = "hlm.fit_replicates(model, data, "
    return f"{begin}{', '.join(f'{name}={value}' for name, value in arguments.items())})"


def _replication(asked: Replication) -> dict[str, str]:
    found = {"method": repr(asked.method)}
    found |= {} if asked.fay is None else {"fay": repr(asked.fay)}
    return found | ({"of": repr(asked.of)} if asked.of else {})


def _fit_arguments(job: Job) -> dict[str, str]:
    found: dict[str, str] = {"algorithm": repr(job.algorithm)}
    defaults = fit_options(replace(job, options=Options(), level1={}))
    for name, value in fit_options(job).items():
        if name in ("weights", "frequency"):
            parts = [f"level{k}={w!r}" for k, w in ((1, value.level1), (2, value.level2)) if w]
            found[name] = f"hlm.{type(value).__name__}({', '.join(parts)})"
        elif defaults.get(name) != value:
            found[name] = repr(value)
    return found


def _tests(job: Job) -> list[str]:
    options, names = job.options, job.model.gamma_names
    lines = []
    for rows in options.hypotheses:
        asked = {
            name: [row[k] for row in rows] for k, name in enumerate(names) if any(row[k] for row in rows)
        }
        lines.append(f"print(fit.wald({asked!r}))")
    if options.homogeneity and not job.several:
        lines.append("print(fit.homogeneity())")
    return lines


def command_line(job: Job, here: Opened, *, text: bool = False) -> str:
    """The command that runs the saved .hlm, or the saved text of equations."""
    how = " --drop-incomplete" if here.source.reading.level2_missing == "drop" else ""
    how += _as_options(_said_of(here))
    if text:  # which says its missing codes itself
        return f"hlmbayes run{how} model.txt"
    how += "".join(f" --missing {quote(codes)}" for codes in _codes_as_text(here))
    files = [here.source.level1, here.source.level2]
    where = [f"--level{k} {file.name}" for k, file in enumerate(files, 1) if file is not None]
    algorithm = " --algorithm exact" if job.algorithm == "exact" else ""
    known = job.options.variance_known and job.options.variance_known_is == "precision"
    more = f"{algorithm}{' --varianceknown precision' if known else ''}{how}"
    return plain(f"hlmbayes run model.hlm {' '.join(where)} --id {here.source.id}{more}")
