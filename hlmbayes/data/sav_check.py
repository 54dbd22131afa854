"""A walk through the dictionary of an SPSS file: the reader trusts it, and a damaged one can end the program.

The layout is that of GNU PSPP's description, "System File Format".
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

LONGEST = 255  # letters of a text variable, or of a part of one
HEADER, VARIABLE, LABELS, LABELLED, DOCUMENTS, EXTENSION, END = 176, 2, 3, 4, 6, 7, 999


def damage(path: Path) -> str:
    """Say what is wrong with the dictionary of a .sav file; nothing if it can be walked to its end."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return _damage(content)


def _damage(content: mmap.mmap) -> str:
    if content[:4] not in (b"$FL2", b"$FL3") or len(content) < HEADER:
        return ""  # no file of SPSS: the reader says so
    order = "<" if content[64] in (2, 3) else ">"
    at, n_variables, owed = HEADER, 0, 0
    try:
        while (record := _number(content, order, at)) != END:
            owed = _owed(content, order, at, owed) if record == VARIABLE else _none(owed)
            n_variables += record == VARIABLE
            if record == LABELLED:
                _check_labelled(content, order, at, n_variables)
            at = _next(content, order, at, record)
    except (struct.error, IndexError):
        return "its dictionary ends too early"
    except ValueError as error:
        return str(error)
    return ""


def _number(content: mmap.mmap, order: str, at: int) -> int:
    return int(struct.unpack_from(f"{order}i", content, at)[0])


def _size(content: mmap.mmap, order: str, at: int) -> int:
    if (value := _number(content, order, at)) < 0:
        raise ValueError("a size in its dictionary is negative")
    return value


def _owed(content: mmap.mmap, order: str, at: int, owed: int) -> int:
    """Give how many more records the text variable of this one has: one for each eight letters."""
    width = _number(content, order, at + 4)
    if width == -1 and owed:
        return owed - 1
    if not 0 <= _none(owed) + width <= LONGEST:
        raise ValueError(f"a variable of {width} letters is in its dictionary")
    return -(-width // 8) - 1 if width else 0


def _none(owed: int) -> int:
    if owed:
        raise ValueError("a text variable in its dictionary is cut")
    return 0


def _check_labelled(content: mmap.mmap, order: str, at: int, n_variables: int) -> None:
    for k in range(_size(content, order, at + 4)):
        if not 1 <= _number(content, order, at + 8 + 4 * k) <= n_variables:
            raise ValueError("value labels belong to a variable that is not there")


def _next(content: mmap.mmap, order: str, at: int, record: int) -> int:
    """Give where the record after this one begins."""
    if record == VARIABLE:
        has_label, n_missing = (_number(content, order, at + place) for place in (8, 12))
        label = 4 + 4 * -(-_size(content, order, at + 32) // 4) if has_label else 0
        return at + 32 + label + 8 * min(abs(n_missing), 3)
    if record == LABELS:
        place = at + 8
        for _ in range(_size(content, order, at + 4)):
            place += 8 + 8 * -(-(content[place + 8] + 1) // 8)  # the value, a byte for the length, the text
        return place
    if record == LABELLED:
        return at + 8 + 4 * _size(content, order, at + 4)
    if record == DOCUMENTS:
        return at + 8 + 80 * _size(content, order, at + 4)
    if record == EXTENSION:
        return at + 16 + _size(content, order, at + 8) * _size(content, order, at + 12)
    raise ValueError(f"there is a record of type {record} in its dictionary")
