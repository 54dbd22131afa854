"""The model and its settings as Python, as a command line and as text: each gives the same numbers."""

from __future__ import annotations

from dataclasses import replace
from textwrap import indent
from typing import Any

from ..hlm_files.command_options import Options
from ..runs.estimate import fit_options
from ..runs.jobs import Job
from ..words import plain
from .opening import HSB, Opened
from .state import State


def python_script(job: Job, here: Opened) -> str:
    """A script that reads the data, estimates the model and prints the listing."""
    model, options = job.model, job.options
    lines = ["import hlmbayes as hlm", "", f"data = {_read(here)}", 'model = hlm.Model("""']
    lines += [indent(model.equations().replace("\\", "\\\\").replace('"""', '\\"\\"\\"'), "    "), '""")']
    values = ", ".join(f"{name}={value}" for name, value in _fit_arguments(job).items())
    if options.plausible_values:
        names = [repr(name) for name in dict.fromkeys((model.outcome, *options.plausible_values))]
        lines.append(f"fit = hlm.fit_imputed(model, data, outcomes=[{', '.join(names)}], {values})")
    else:
        lines.append(f"fit = model.fit(data, {values})")
    title = f"title={options.title!r}" if options.title else ""
    lines += ["print(fit.listing(" + title + "))"]
    lines += [*_tests(job)]
    return "\n".join(lines) + "\n"


def _read(here: Opened) -> str:
    if here.title == HSB:
        return "hlm.datasets.hsb()"
    files = [here.source.level1, here.source.level2]
    given = [repr(file.name) for file in files if file is not None]
    ids = (here.source.id, here.source.id2) if here.source.id2 else here.source.id
    reading = here.source.reading
    more = [f"level2_missing={reading.level2_missing!r}"] if reading.level2_missing != "refuse" else []
    one, two = ({k: list(v) for k, v in codes.items()} for codes in reading.missing)
    more += [f"missing={one | two!r}"] if one or two else []
    return f"hlm.read({', '.join([*given, f'id={ids!r}', *more])})"


def _fit_arguments(job: Job) -> dict[str, Any]:
    found: dict[str, Any] = {"algorithm": repr(job.algorithm)}
    defaults = fit_options(replace(job, options=Options()))
    for name, value in fit_options(job).items():
        if name == "weights":
            parts = [f"level{k}={w!r}" for k, w in ((1, value.level1), (2, value.level2)) if w]
            found[name] = f"hlm.Weights({', '.join(parts)})"
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
    if options.homogeneity and not options.plausible_values:
        lines.append("print(fit.homogeneity())")
    return lines


def command_line(state: State, here: Opened) -> str:
    """The command that runs the saved .hlm."""
    files = [here.source.level1, here.source.level2]
    where = [f"--level{k} {file.name}" for k, file in enumerate(files, 1) if file is not None]
    algorithm = " --algorithm exact" if state.algorithm == "exact" else ""
    return plain(f"hlmbayes run model.hlm {' '.join(where)} --id {here.source.id}{algorithm}")


def equations_text(state: State) -> str:
    """The equations as a text file, which says the algorithm."""
    return f"# algorithm: {state.algorithm}\n{state.known.equations()}\n"
