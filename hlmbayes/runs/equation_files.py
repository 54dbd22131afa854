"""Files of equations that say where their data are: lines such as data: students.csv before the equations.

data: students.csv            the rows, or both levels in one file
level2: schools.csv           the level-2 records, where they are in a file of their own
id: school                    the name of the units' id (two names where the files call it differently)
missing: -99, -9              missing codes; of one variable, ses=-99
method: ML                    REML or ML
algorithm: hlm                exact or hlm
title: Schools and ses        of the listing
family: binomial              of an outcome that is not normal, where the equations do not say it
link: probit                  the link of its mean
trials: tried                 the variable with each row's number of trials, or exposure: years
overdispersed: yes            the variance is a multiple of the family's
hlm: 7                        whose degrees of freedom and words, 6 or 7
replicates: W1-W80            replicate weights, with replicate_method: fay, fay: 0.5, replicates_of: total
                              and sampling_from: first, as the command's options
frequency: n                  how many rows a row stands for; frequency2: of units
precision: w                  the level-1 variance is sigma2 / w; known_variance: v
imputed: b.sav, c.sav         level-1 files of the other imputed data sets; or imputed_by: m, the column
                              that numbers them in one file; plausvals: PV2, PV3 other plausible values

Other settings are the lines of a command file: numit: 500, gamma1: 0,1,0, level1weight: w, resfil2: y, ...
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import CommandFileError
from ..hlm_files.command_options import is_option
from ..hlm_files.keyword_values import Line
from ..words import nearest

OF_OUTCOME = ("family", "link", "trials", "exposure", "overdispersed")
OF_REPLICATES = ("replicates", "replicate_method", "replicates_of", "fay", "sampling_from")
OF_ROWS = ("frequency", "frequency2", "precision", "known_variance", "imputed", "imputed_by")
KEYS = (
    "data", "level2", "id", "missing", "method", "algorithm", "hlm", "title", *OF_OUTCOME, *OF_REPLICATES,
    *OF_ROWS,
)  # fmt: skip
CHOICES = {
    "method": ("REML", "ML"), "algorithm": ("exact", "hlm"), "hlm": ("6", "7"),
    "overdispersed": ("yes", "no"), "sampling_from": ("all", "first"),
}  # fmt: skip
_LINE = re.compile(r"\s*([^\W\d]\w*)\s*:\s*(.*?)\s*")


class EquationFile(NamedTuple):
    """What a file of equations says: settings, missing codes as written, equations, and options of HLM."""

    settings: Mapping[str, str]
    missing: tuple[str, ...]
    equations: str
    options: tuple[Line, ...] = ()

    @property
    def outcome(self) -> dict[str, Any]:
        """What is said of the outcome, as `TwoLevelModel` takes it."""
        found: dict[str, Any] = {key: self.settings[key] for key in OF_OUTCOME if key in self.settings}
        return found | (
            {"overdispersed": found["overdispersed"] == "yes"} if "overdispersed" in found else {}
        )


def read_equation_file(text: str, name: str) -> EquationFile:
    """Divide the text of a file, or of --equations, into settings and equations.

    Raises
    ------
    CommandFileError
        A key that is not known or stands twice, or a value it cannot have: with the line.
    """
    settings: dict[str, str] = {}
    missing: list[str] = []
    options: list[Line] = []
    lines = re.split(r"\r\n|\r|\n", text)
    for k, line in enumerate(lines):
        match = _LINE.fullmatch(line)
        if match is None or not _is_setting(match[1], match[2]):
            continue
        where, key, value = f"{name}, line {k + 1}", match[1].casefold(), _unquoted(match[2])
        lines[k] = "#"  # the equations keep the numbers of their lines
        if is_option(key) and key not in KEYS:
            options.append(Line(where, key, value))
            continue
        _check(where, key, value, settings)
        if key == "missing":
            missing.append(value)
        else:
            settings[key] = next((c for c in CHOICES.get(key, ()) if c.casefold() == value.casefold()), value)
    return EquationFile(settings, tuple(missing), "\n".join(lines), tuple(options))


def _is_setting(key: str, value: str) -> bool:
    """Whether a line with a colon is a setting: equations and formulas have a sign, and may have a colon."""
    return key.casefold() in KEYS or is_option(key.casefold()) or not re.search(r"[=~+]", value)


def _check(where: str, key: str, value: str, settings: Mapping[str, str]) -> None:
    if key not in KEYS:
        close = nearest(key, (*KEYS, "plausvals"))
        hint = f"did you mean {close}:?" if close else f"wanted {', '.join(f'{k}:' for k in KEYS)}"
        raise CommandFileError(f"{where}: {key}: is not known; {hint}")
    if not value:
        raise CommandFileError(f"{where}: nothing stands after {key}:")
    if key in settings:
        raise CommandFileError(f"{where}: {key}: is there twice, as {settings[key]} and as {value}; keep one")
    choices = CHOICES.get(key, (value,))
    if value.casefold() not in map(str.casefold, choices):
        raise CommandFileError(f"{where}: {key}: {value} is not known; wanted {' or '.join(choices)}")


def _unquoted(value: str) -> str:
    value = re.sub(r"\s+#.*", "", value)  # a comment; file names may have a "#" in them
    quoted = re.fullmatch(r"\"([^\"]*)\"|'([^']*)'", value)
    return (quoted[1] or quoted[2] or "") if quoted else value


def id_pair(text: str) -> tuple[str, str]:
    """Give the id's names at level 1 and level 2."""
    names = [name.strip().strip("`") for name in text.split(",")]
    if len(names) > 2 or not all(names):
        raise CommandFileError(
            f"id: {text} is not understood; wanted a name, or two with a comma between them"
        )
    return names[0], names[-1]


def data_file(folder: Path, name: str) -> Path:
    """Give a data file as the file of equations names it, seen from its folder."""
    return folder / Path(name).expanduser()
