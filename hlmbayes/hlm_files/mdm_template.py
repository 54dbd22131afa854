"""HLM's MDM template (.mdmt): where the data of an analysis are and what their variables are called."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NoReturn

from ..data.mdm import MdmHeader
from ..data.read_options import EVERY, Codes, ReadOptions, number_or_text
from ..data.reading import READERS
from ..datasets import hsb_paths
from ..errors import CommandFileError
from ..words import composed, decoded, nearest

_KEYWORDS = {
    "rawdattype", "l1fname", "l2fname", "l1missing", "timeofdeletion", "mdmname", "level2id", "vknown",
    "mdmtype", "growthmodel", "hasmissing", "numl1vars", "numl2vars", "l1format", "l2format", "l2missing",
}  # fmt: skip
_MDMNAME = re.compile(r"(?:^|[\r\n])[^\S\r\n]*mdmname[^\S\r\n]*:([^\r\n]*)", re.IGNORECASE)
MOST_BYTES = 300_000  # of a command file or template
_MISSVAL = re.compile(r"(l[12])?miss(ing)?_?val(ue)?s?")
Line = tuple[str, str, str]  # where it stands, keyword, value
_OTHER_PROGRAMS = {
    "HLM3": "three-level models",
    "HLM4": "four-level models",
    **dict.fromkeys(("HMLM", "HMLM2"), "multivariate models"),
    **dict.fromkeys(("HCM2", "HCM3", "HLMHCM"), "cross-classified models"),
}


class RawDataError(CommandFileError):
    """A template is right, but the data files it names are not there or not read."""


@dataclass(frozen=True, slots=True)
class DataSource:
    """Where the data are, as the template, the .mdm itself or the user says."""

    mdm: str  # name of the .mdm file, for the listing
    level1: Path  # the level-1 file, found; or the .mdm
    level2: Path | None  # the level-2 file; None or equal to `level1` where both levels are in one file
    id: str  # name of the variable that links the levels
    level1_names: tuple[str, ...] = ()  # variables the template lists, without the id; empty without one
    level2_names: tuple[str, ...] = ()
    raw_type: str = ""  # "spss", "stata", "sas", "ascii", "mdm" or ""
    # when level-1 rows with missing values are dropped: on all listed variables when the data are made, or on
    # the variables of the analysis
    deletion: Literal["now", "analysis"] = "analysis"
    missing: bool = False  # whether the level-1 file has missing values
    id2: str = ""  # name of the id in the level-2 file, where it is not `id`
    template: str = field(default="", compare=False)  # its name, for messages
    reading: ReadOptions = field(default_factory=ReadOptions)  # how the files are read
    header: MdmHeader | None = field(default=None, compare=False)  # of the .mdm, where it is there


# ---------------------------------------------------------------- files and names


def read_text(path: Path) -> str:
    """Text of a file HLM wrote: UTF-8 (with or without its mark), UTF-16 with its mark, or Latin-1.

    Raises
    ------
    CommandFileError
        The file is missing (with the nearest name in its folder), cannot be read, or is no text.
    """
    if not os.path.isfile(path):
        missing_file(path)
    try:
        if (size := os.path.getsize(path)) > MOST_BYTES:
            raise CommandFileError(f"{path} has {size} bytes; wanted a text of HLM's, at most {MOST_BYTES}")
        data = Path(path).read_bytes()
    except OSError as error:
        raise CommandFileError(f"{path} cannot be read: {error.strerror or error}") from None
    text = _decoded(data).rstrip("\0\x1a")  # DOS programs end a text with Ctrl-Z
    if "\0" in text:
        raise CommandFileError(f"{path} is not a text file; open it in an editor and save it as text (UTF-8)")
    return text


def _decoded(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    return decoded(data).removeprefix("\ufeff")


def missing_file(path: Path, wanted: str = "", kind: type[CommandFileError] = CommandFileError) -> NoReturn:
    """Raise the error for a file that is not there, naming the nearest file of its folder."""
    if os.path.isdir(path):
        raise kind(f"{path}{wanted}{',' if wanted else ''} is a folder; wanted a file")
    folder = Path(path).parent
    hint = nearest(Path(path).name, _names_in(folder))
    suggestion = f"; did you mean {folder / hint}?" if hint else "; check the name and the folder"
    raise kind(f"there is no file {path}{wanted}{suggestion}")


def own_name(path: str) -> str:
    r"""The file's own name in a Windows or Unix path: C:\data\hsb.mdm and C:hsb.mdm -> hsb.mdm."""
    return re.split(r"[\\/]|^[A-Za-z]:", path.strip().strip("\"'"))[-1].strip()


def beside(folder: Path, path: str) -> Path | None:
    """The file `path` names, seen from `folder`: as a path, else by its own name; None if absent."""
    cleaned = path.strip().strip("\"'").replace("\\", "/")
    for candidate in (folder / cleaned, folder / own_name(path)):
        if cleaned and os.path.isfile(candidate):
            return Path(os.path.normpath(candidate))
    wanted = composed(own_name(path)).casefold()
    for name in _names_in(folder):
        if composed(name).casefold() == wanted and os.path.isfile(folder / name):
            return folder / name
    return None


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except (OSError, ValueError):
        return []


# ---------------------------------------------------------------- the template


def find_template(folder: Path, mdm: str) -> Path | None:
    """The template of an .mdm file in a folder: NAME.mdmt, else the one whose mdmname is NAME."""
    found = beside(folder, f"{stem(mdm)}.mdmt")
    if found is not None:
        return found
    for name in _names_in(folder):
        if name.casefold().endswith(".mdmt") and os.path.isfile(folder / name):
            match = _MDMNAME.search(read_text(folder / name))
            if match and stem(match[1]).casefold() == stem(mdm).casefold():
                return folder / name
    return None


def stem(mdm: str) -> str:
    """The own name of a data source without .mdm (HLM 5: .ssm)."""
    return re.sub(r"\.(mdm|ssm)$", "", own_name(mdm), flags=re.IGNORECASE)


def read_template(path: str | Path) -> tuple[DataSource, tuple[str, ...]]:
    """The data source an .mdmt file describes, and warnings (keywords that are not known).

    Raises
    ------
    CommandFileError
        Naming the file and the line: not a two-level template, no data file or id, files that are not there.
    """
    path = Path(path)
    return parse_template(read_text(path), path)


def parse_template(text: str, path: Path) -> tuple[DataSource, tuple[str, ...]]:
    """`read_template` for text that stands for the file `path`."""
    values: dict[str, str] = {}
    names: dict[str, list[str]] = {"l1vars": [], "l2vars": []}
    ids: dict[str, str] = {}
    warnings: list[str] = []
    codes: tuple[list[Line], list[Line]] = ([], [])
    block = ""
    for number, raw in enumerate(re.split(r"\r\n|\r|\n", composed(text)), start=1):
        line = raw.strip()
        where = f"{path.name}, line {number}"
        if not line or line.startswith("#"):
            _check_kind(where, line)
            continue
        mark = re.fullmatch(r"\*\s*(begin|end)\s+(\w+)", line, re.IGNORECASE)
        if mark:
            block = mark[2].lower() if mark[1].lower() == "begin" else ""
            if block and block not in names:
                what = f"the variables of {block!r} do not belong to two levels"
                raise CommandFileError(f"{where}: {what}; wanted l1vars, l2vars")
            continue
        keyword, colon, value = line.partition(":")
        keyword = keyword.strip().lower()
        if colon and keyword == "level2id" and block:
            ids[block] = value.strip()
        elif colon and keyword in ("level3id", "level4id"):
            what = f"{keyword} belongs to a model of more than two levels"
            raise CommandFileError(f"{where}: {what}; wanted two")
        elif block and not colon:
            names[block].append(line)
        elif colon:
            if keyword in values and not _MISSVAL.fullmatch(keyword):
                warnings.append(f"{where}: {keyword}: is given a second time; this one counts")
            values[keyword] = value.strip()
            if _MISSVAL.fullmatch(keyword):
                for level in {"l1": (0,), "l2": (1,)}.get(keyword[:2], (0, 1)):
                    codes[level].append((where, keyword, value.strip()))
            elif keyword not in _KEYWORDS:
                warnings.append(f"{where}: {keyword!r} is not a known keyword of an MDM template; ignored")
        else:
            warnings.append(f'{where}: "{line}" is not understood; ignored')
    source = _source(path, values, names, ids, warnings)
    reading = replace(source.reading, missing=(_codes(codes[0], values), _codes(codes[1], values)))
    return replace(source, reading=reading), tuple(warnings)


def _codes(lines: Sequence[Line], values: dict[str, str]) -> Codes:
    """Give the missing codes of one level: -99,-9 for all its variables, SES=-99,-9 for one."""
    found: dict[str, tuple[Any, ...]] = {}
    number = r"[-+]?(?:\d+\.?\d*|\.\d+)"
    for where, keyword, value in (line for line in lines if line[2]):
        match = re.fullmatch(
            rf"(?:(\S*[^\W\d]\S*?)\s*[=:,;\s]\s*)?({number}(?:\s*[,;\s]\s*{number})*)", value
        )
        if match is None:
            wanted = "numbers, -99,-9, or NAME=-99; or take it out and say --missing"
            raise CommandFileError(f"{where}: {keyword}:{value} is not understood; wanted {wanted}")
        name = (match[1] or EVERY).lower()
        found[name] = (*found.get(name, ()), *map(number_or_text, re.findall(number, match[2])))
        denied = next((k for k in ("hasmissing", f"{keyword[:2]}missing") if _is(values, k, "n")), None)
        if denied:
            raise CommandFileError(
                f"{where}: {keyword}:{value} names a missing code, and {denied}:n says that there are none; "
                "take one of the two lines out"
            )
    return found


def _check_kind(where: str, line: str) -> None:
    match = re.match(r"#\s*(\w+)\s+MDM", line, re.IGNORECASE)
    kind = match[1].upper() if match else "HLM2"
    if kind in _OTHER_PROGRAMS:
        raise CommandFileError(
            f"{where}: this is a template of {kind} ({_OTHER_PROGRAMS[kind]}); "
            "only two-level linear models (HLM2) are available"
        )


def _source(
    path: Path, values: dict[str, str], names: dict[str, list[str]], ids: dict[str, str], warnings: list[str]
) -> DataSource:
    level1 = values.get("l1fname", "")
    if not level1:
        lacking = "there is no l1fname: line, which names the level-1 data file"
        raise CommandFileError(f"{path.name}: {lacking}; add it")
    id1 = ids.get("l1vars") or ids.get("l2vars", "")
    id2 = ids.get("l2vars") or id1
    if not id1:
        raise CommandFileError(f"{path.name}: there is no level2id: line after *begin l1vars; add it")
    _check_raw_data(path, values)
    return DataSource(
        mdm=own_name(values.get("mdmname", "")) or f"{path.stem}.mdm",
        level1=_data_file(path, level1),
        level2=_data_file(path, values["l2fname"]) if values.get("l2fname") else None,
        id=id1,
        level1_names=tuple(name for name in names["l1vars"] if name.casefold() != id1.casefold()),
        level2_names=tuple(name for name in names["l2vars"] if name.casefold() != id2.casefold()),
        raw_type=values.get("rawdattype", "").lower(),
        deletion=_deletion(path, values.get("timeofdeletion", ""), warnings),
        missing=_is(values, "l1missing", "y") or _is(values, "hasmissing", "y"),
        id2="" if id2.casefold() == id1.casefold() else id2,
        template=path.name,
    )


def _deletion(path: Path, value: str, warnings: list[str]) -> Literal["now", "analysis"]:
    """When rows with missing values are dropped: now is when the data are made (HLM: "making mdm")."""
    if value.casefold().startswith(("now", "mak")):
        return "now"
    if value and not value.casefold().startswith(("analys", "run")):
        warnings.append(
            f"{path.name}: timeofdeletion:{value} is not known (wanted now or analysis); rows are left out "
            "that miss a value on a variable of the analysis"
        )
    return "analysis"


def _is(values: dict[str, str], keyword: str, initial: str) -> bool:
    return values.get(keyword, "").casefold().startswith(initial)


def _check_raw_data(path: Path, values: dict[str, str]) -> None:
    """Refuse what would be read wrongly.

    Fixed columns need a Fortran format, which nothing here reads: better no data than wrong columns. A
    V-known file has several statistics of a unit in a record, and their variances and covariances.
    """
    if _is(values, "vknown", "y"):
        raise CommandFileError(
            f"{path.name}: a V-known data set (vknown:y) is not read; give each statistic a row with its "
            "variance in a column, and name that column in the command file, varianceknown:NAME"
        )
    for keyword in ("l1fname", "l2fname"):
        file = values.get(keyword, "")
        if file and _is(values, "rawdattype", "ascii") and Path(file).suffix.lower() not in READERS:
            raise RawDataError(
                f"{path.name}: ascii data in fixed columns ({own_name(file)}) are not read; "
                f"save them as .csv (with names in the first line) or .sav and name that file in {keyword}:"
            )


def _data_file(template: Path, name: str) -> Path:
    found = beside(template.parent, name) or _packaged(name)
    if found is None:
        place = template.parent / (own_name(name) or name)
        missing_file(place, wanted=f", which {template.name} names", kind=RawDataError)
    return found


def _packaged(name: str) -> Path | None:
    """The package's own data file that a path ends in: its templates may have been copied elsewhere."""
    own = {"/".join(path.parts[-3:]): path for path in hsb_paths()}
    return own.get("/".join(Path(name.replace("\\", "/")).parts[-3:]))


def check_names(where: str, used: Sequence[str], source: DataSource | None, level: int) -> None:
    """Refuse variables the template does not list, with the nearest name that it lists.

    Raises
    ------
    CommandFileError
        Unknown variable, or one of the other level.
    """
    if source is None or not source.level1_names:
        return
    own, other = source.level1_names, source.level2_names
    if level == 2:
        own, other = other, own
    known = set(map(str.casefold, own))
    template = source.template or f"{source.mdm}t"
    for name in used:
        if name.casefold() in known:
            continue
        if name.casefold() in {n.casefold() for n in other}:
            advice = f"it is a level-{3 - level} variable there"
        else:
            hint = nearest(name, own)
            advice = f"did you mean {hint}?" if hint else f"wanted one of {', '.join(own) or 'none'}"
        raise CommandFileError(f"{where}: {name} is not a level-{level} variable of {template}; {advice}")
