"""HLM's binary .mdm files of two-level models: the rows, the units and their ids.

The layout is known from files of HLM 6 and 7 laid beside their data; little endian, without padding.

    tag (6 bytes), version (float32); n1, n2, N, J, 4 to 6 flags, rows of the largest unit (int32 each)
    names of 13 bytes: INTRCPT1, n1 of level 1, INTRCPT2, n2 of level 2; int32 L, two paths of L bytes
    n1 + n2 grand means (doubles; in one layout as many standard deviations after them)
    J ids (doubles, or 13 bytes of text), then J x n2 doubles, level 2
    for each unit: int32 n, n1 means, n x n1 doubles

How many flags a version has is not taken for granted: the layout is the one in which every count agrees and
the last byte is reached. Nothing is allocated before the counts are held against the size of the file. The
means find damage to the data, and tell missing values from numbers.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..words import decoded
from .paths import given_path

TAG = b"SSHLM2"
OTHER_TAGS = {b"SSHLM3": "three-level", b"SSHLM4": "four-level", b"SSHMLM": "multivariate"}
FIRST, BEYOND = 6.0, 9.0  # the versions whose layout is known
FLAGS = (4, 5, 6)  # how many flags there are
COUNTS = struct.Struct("<6sf4i")
NAME = 13  # bytes of a name
AGREES = 1e-9  # how near a mean is to that of its rows, as a part of the column's largest value
HUGE = 1e100  # no data have such values: one that is missing is kept so
_NINES = (77, 88, 97, 98, 99, 777, 888, 997, 998, 999, 9997, 9998, 9999, 99999, 999999)
CODES = np.array([-9, *_NINES, *(-code for code in _NINES)], dtype=np.float64)  # often stand for missing
AGAIN = "Copy it again from where it was made, or give the data files themselves"


@dataclass(frozen=True, slots=True)
class MdmHeader:
    """What an .mdm file says of itself."""

    name: str
    version: float  # of HLM: 6.05, 7.0
    level1: tuple[str, ...]  # variables, the intercept left out
    level2: tuple[str, ...]
    n_rows: int
    n_units: int
    largest: int  # rows of the largest unit
    end: int  # where the header ends, its paths included


@dataclass(frozen=True, slots=True, eq=False)
class MdmFile:
    """An .mdm file: N rows in J units, in the order of the file."""

    header: MdmHeader
    ids: np.ndarray  # (J,) numbers or text
    n: np.ndarray  # (J,) rows of each unit; a unit's rows follow each other
    level1: dict[str, np.ndarray]  # (N,) columns, missing values as nan
    level2: dict[str, np.ndarray]  # (J,) columns
    doubts: tuple[str, ...]  # values that may stand for missing ones, a sentence each


def is_mdm(source: Any) -> bool:
    """Tell whether a source of data is the path of an .mdm file."""
    return isinstance(source, str | os.PathLike) and given_path(source).suffix.lower() == ".mdm"


def read_header(path: Path) -> MdmHeader:
    """Read the header alone; raises as `read_mdm`."""
    size = _size(path)
    with path.open("rb") as file:
        start = file.read(COUNTS.size)
        n1, n2 = _counts(path.name, start, size)
        start += file.read(_room(n1, n2) - COUNTS.size)
    return next(_headers(path.name, start))


def read_mdm(path: Path) -> MdmFile:
    """Read a two-level .mdm file.

    Raises
    ------
    DataError
        There is no such file, or it is damaged, truncated, of another kind of model or of a version that is
        not known: which it is.
    """
    size = _size(path)
    content = np.fromfile(path, dtype=np.uint8)
    n1, n2 = _counts(path.name, content[: COUNTS.size].tobytes(), size)
    headers = list(_headers(path.name, content[: _room(n1, n2)].tobytes()))
    layouts = [(header, *kind) for header in headers for kind in _KINDS]
    sizes = [_needed(*layout) for layout in layouts]
    for layout, needed in zip(layouts, sizes, strict=True):
        found = _contents(*layout, content) if needed == size else None
        if found is not None:
            return found
    raise DataError(_what_is_wrong(headers[0], size, sizes))


def _what_is_wrong(header: MdmHeader, size: int, sizes: Sequence[int]) -> str:
    counts = f"{header.n_rows:,} rows in {header.n_units:,} units"
    if size in sizes:
        return f"{header.name} is damaged: the rows counted unit by unit are not the {counts}. {AGAIN}."
    if size < min(sizes):
        needed = f"{counts} need {min(sizes):,} bytes, it has {size:,}"
        return f"{header.name} is truncated: {needed}. {AGAIN}."
    return (
        f"{header.name} (version {header.version:g}) has {size:,} bytes, {counts} need {min(sizes):,}: it is "
        f"damaged or laid out in a way that is not known. {AGAIN}."
    )


# --- the header -----------------------------------------------------------------------------------


def _size(path: Path) -> int:
    if not path.is_file():
        raise DataError(f"There is no file {path.name} in {path.resolve().parent}.")
    size = path.stat().st_size
    if not size:
        raise DataError(f"{path.name} is empty: the file has no bytes. {AGAIN}.")
    return size


def _room(n1: int, n2: int) -> int:
    """Give the bytes of the longest header, without its paths."""
    return COUNTS.size + 4 * (FLAGS[-1] + 2) + NAME * (n1 + n2 + 2)


def _counts(name: str, start: bytes, size: int) -> tuple[int, int]:
    """Give n1 and n2; refuse other files and versions, and counts for which the file has no room."""
    if kind := OTHER_TAGS.get(start[:6]):
        raise DataError(
            f"{name} is the .mdm file of a {kind} model ({start[:6].decode()}); only two-level ones are read."
        )
    if start[:6] != TAG[: len(start)]:
        raise DataError(f"{name} is no .mdm file of HLM: it begins with {start[:6]!r}, wanted {TAG!r}.")
    if len(start) < COUNTS.size:
        raise DataError(f"{name} is truncated: {size} bytes are less than a header. {AGAIN}.")
    _, version, n1, n2, n_rows, n_units = COUNTS.unpack(start)
    if not FIRST <= version < BEYOND:
        raise DataError(
            f"{name} is of version {version:.6g}, whose layout is not known; files of HLM 6 to 8 are read. "
            "Give the data files themselves."
        )
    if n1 < 1 or n2 < 0 or not 1 <= n_units <= n_rows:
        counts = f"{n1} and {n2} variables, {n_rows} rows and {n_units} units"
        raise DataError(f"{name} is damaged: its header counts {counts}. {AGAIN}.")
    least = 8 * (n_rows * n1 + n_units * (n1 + n2)) + NAME * (n1 + n2 + 2)
    if least > size:
        counts = f"{n_rows:,} rows of {n1} variables in {n_units:,} units"
        raise DataError(
            f"{name} is truncated, or its header is damaged: {counts} need {least:,} bytes, it has {size:,}. "
            f"{AGAIN}."
        )
    return n1, n2


def _headers(name: str, start: bytes) -> Iterator[MdmHeader]:
    """Give every header that the first bytes can be; refuse if there is none."""
    _, version, n1, n2, n_rows, n_units = COUNTS.unpack(start[: COUNTS.size])
    none = True
    for flags in FLAGS:
        place = COUNTS.size + 4 * (flags + 1)
        end = place + NAME * (n1 + n2 + 2)
        if len(start) < end + 4:
            continue
        names = [_text(start[at : at + NAME]) for at in range(place, end, NAME)]
        level1, level2 = names[1 : n1 + 1], names[n1 + 2 :]
        (largest,), (length,) = (struct.unpack_from("<i", start, at) for at in (place - 4, end))
        constants = (names[0], names[n1 + 1]) == ("INTRCPT1", "INTRCPT2")
        if constants and _are_names(level1) and _are_names(level2) and 1 <= largest <= n_rows and length >= 0:
            none = False
            parts = (tuple(level1), tuple(level2), n_rows, n_units, largest, end + 4 + 2 * length)
            yield MdmHeader(name, round(version, 2), *parts)
    if none:
        raise DataError(f"{name} is damaged or truncated: names are not where its header has them. {AGAIN}.")


def _text(raw: bytes) -> str:
    return decoded(raw.split(b"\0")[0]).strip()


def _are_names(names: Sequence[str]) -> bool:
    return all(name and name.isprintable() for name in names) and len(set(names)) == len(names)


# --- the data -------------------------------------------------------------------------------------

_KINDS = ((False, False), (True, False), (False, True), (True, True))  # ids are text; there are s.d.s


def _needed(header: MdmHeader, text: bool, spread: bool) -> int:
    """Give the bytes of a whole file of a layout."""
    n1, n2 = len(header.level1), len(header.level2)
    a_unit = (NAME if text else 8) + 8 * n2 + 4 + 8 * n1
    return header.end + 8 * (n1 + n2) * (1 + spread) + header.n_units * a_unit + 8 * header.n_rows * n1


def _contents(header: MdmHeader, text: bool, spread: bool, content: np.ndarray) -> MdmFile | None:
    """Read a file that has the size of its layout; None where the counts of the units do not agree."""
    n1, n2, units = len(header.level1), len(header.level2), header.n_units
    at_ids = header.end + 8 * (n1 + n2) * (1 + spread)
    at_level2 = at_ids + units * (NAME if text else 8)
    at_rows = at_level2 + 8 * units * n2
    words = content[at_rows:].copy().view("<i4")
    n = _counted(words, header)
    if n is None:
        return None
    starts = np.cumsum(1 + 2 * n1 * (1 + n)) - (1 + 2 * n1 * (1 + n))
    first = np.arange(1, 1 + 2 * n1)
    means = words[starts[:, None] + first].view("<f8")
    is_row = np.ones(len(words), dtype=bool)
    is_row[starts] = is_row[starts[:, None] + first] = False
    rows = words[is_row].view("<f8").reshape(-1, n1)
    level2 = content[at_level2:at_rows].copy().view("<f8").reshape(units, n2)
    grand = content[header.end : header.end + 8 * (n1 + n2)].copy().view("<f8")
    raw = content[at_ids:at_level2].copy()
    ids = _texts(raw) if text else raw.view("<f8")
    columns1, doubts1 = _columns(header.name, header.level1, rows, means, n)
    columns2, doubts2 = _columns(header.name, header.level2, level2, grand[None, n1:], np.array([units]))
    return MdmFile(header, ids, n, columns1, columns2, (*doubts1, *doubts2))


def _texts(raw: np.ndarray) -> np.ndarray:
    return np.array([_text(each.tobytes()) for each in raw.reshape(-1, NAME)], dtype=object)


def _counted(words: np.ndarray, header: MdmHeader) -> np.ndarray | None:
    """Walk from unit to unit and give the rows of each, (J,); None where the header has others."""
    found, at = [], 0
    for _ in range(header.n_units):
        n = int(words[at]) if at < len(words) else 0
        if not 1 <= n <= header.largest:
            return None
        found.append(n)
        at += 1 + 2 * len(header.level1) * (1 + n)
    return np.array(found) if (at, sum(found)) == (len(words), header.n_rows) else None


def _columns(
    file: str, names: Sequence[str], values: np.ndarray, means: np.ndarray, n: np.ndarray
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Give columns with missing values as nan, and doubts; ``means`` are those of n rows each.

    ``values`` are (rows, k), ``means`` (groups, k), ``n`` (groups,).
    """
    columns, doubts = {}, []
    for k, name in enumerate(names):
        x = values[:, k].copy()
        odd = ~(np.abs(x) < HUGE)
        code = _is_code(x, ~odd)
        kept_out = [
            leave for leave in (odd, odd | code, np.zeros_like(odd)) if _agree(x, leave, means[:, k], n)
        ]
        if not kept_out:
            raise DataError(f"{file} is damaged: means of {name} are not those of its values. {AGAIN}.")
        missing = odd | kept_out[0]
        for which, what in ((missing, _MISSING), (code & ~missing, _NUMBERS)):
            if which.any():
                such = ", ".join(f"{value:g}" for value in np.unique(x[which])[:3])
                doubts.append(f"{which.sum()} of {len(x)} values of {name} in {file} are {such}: {what}")
        x[missing] = np.nan
        columns[name] = x
    return columns, doubts


_MISSING = "they are taken as missing"
_NUMBERS = (
    "does that stand for a missing value? They are taken as numbers; if they are none, set them to missing "
    "in the data files and give those (--level1, --level2, --id)"
)


def _is_code(x: np.ndarray, here: np.ndarray) -> np.ndarray:
    """Tell which values are numbers that often stand for missing, farther from the rest than that is wide."""
    code = here & np.isin(x, CODES)
    rest = x[here & ~code]
    if not code.any() or not len(rest):
        return np.zeros_like(code)
    low, high = rest.min(), rest.max()
    return np.asarray(code & ((x > 2 * high - low) | (x < 2 * low - high)))


def _agree(x: np.ndarray, leave: np.ndarray, means: np.ndarray, n: np.ndarray) -> bool:
    """Tell whether means, (groups,), are those of x without the values to leave out."""
    starts = np.cumsum(n) - n
    with np.errstate(all="ignore"):
        kept = np.where(leave, 0.0, x)
        count = np.add.reduceat(~leave, starts, dtype=np.int64)
        off = np.abs(np.add.reduceat(kept, starts) - count * means)
        return bool(np.all((off <= AGREES * count * np.abs(kept).max()) | (count == 0)))
