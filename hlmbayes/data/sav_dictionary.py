"""The dictionary of an SPSS file, looked at by itself: is it damaged, and what are its short names?

The reader trusts it, and a damaged one can end the program. The layout is that of GNU PSPP's description,
"System File Format".
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from ..words import decoded

LEAST = {1: 1.0, 2: 0.001}  # bytes of a value where they are packed: by value, and by zlib
PRINT, WRITE, TEXTS = 18, 22, (1, 2)  # where the kind of a format is; A and AHEX
LONGEST = 255  # letters of a text variable, or of a part of one
HEADER, VARIABLE, LABELS, LABELLED, DOCUMENTS, EXTENSION, END = 176, 2, 3, 4, 6, 7, 999
#: head of the record "long variable names": record type 7, subtype 13, items of one byte
_HEAD = (7, 13, 1)


def damage(path: Path) -> str:
    """Say what is wrong with the dictionary of a .sav file; nothing if it can be walked to its end."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return _damage(content)


def _damage(content: mmap.mmap) -> str:
    if content[:4] not in (b"$FL2", b"$FL3") or len(content) < HEADER:
        return ""  # no file of SPSS: the reader says so
    order = "<" if content[64] in (2, 3) else ">"
    at, owed = HEADER, 0
    variables: list[tuple[bool, bool]] = []  # by its width and by its formats: is it text?
    values: list[bytes] = []  # that have labels
    try:
        while (record := _number(content, order, at)) != END:
            owed = _owed(content, order, at, owed) if record == VARIABLE else _none(owed)
            if record == VARIABLE:
                formats = content[at + PRINT], content[at + WRITE]
                variables.append((_number(content, order, at + 4) != 0, any(f in TEXTS for f in formats)))
            elif record == LABELS:
                values = [content[place : place + 8] for place in _labels(content, order, at)][:-1]
            elif record == LABELLED:
                _check_labelled(content, order, at, variables, values)
            at = _next(content, order, at, record)
        _check_rows(content, order, len(variables))
    except (struct.error, IndexError):
        return "its dictionary ends too early"
    except ValueError as error:
        return str(error)
    return ""


def _check_rows(content: mmap.mmap, order: str, n_variables: int) -> None:
    """Refuse more rows than there is room for: the reader asks for their memory first."""
    rows, packed = _number(content, order, 80), _number(content, order, 72)
    if rows * n_variables * LEAST.get(packed, 8.0) > len(content):
        raise ValueError(f"it claims {rows} rows, and has room for fewer")


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


def _check_labelled(
    content: mmap.mmap, order: str, at: int, variables: list[tuple[bool, bool]], values: list[bytes]
) -> None:
    for k in range(_size(content, order, at + 4)):
        number = _number(content, order, at + 8 + 4 * k)
        if not 1 <= number <= len(variables):
            raise ValueError("value labels belong to a variable that is not there")
        by_width, by_formats = variables[number - 1]
        # of the bytes of a number some are no letters
        no_text = any(min(value.rstrip(b"\0"), default=32) < 32 for value in values)
        if by_width != by_formats or (by_width and no_text):
            raise ValueError("value labels of numbers belong to a text variable, or the reverse")


def _labels(content: mmap.mmap, order: str, at: int) -> list[int]:
    """Give where each value with a label begins, and where they end."""
    places = [at + 8]
    for _ in range(_size(content, order, at + 4)):
        text = content[places[-1] + 8]  # after the value: a byte for the length, then the text
        places.append(places[-1] + 8 + 8 * -(-(text + 1) // 8))
    return places


def _next(content: mmap.mmap, order: str, at: int, record: int) -> int:
    """Give where the record after this one begins."""
    if record == VARIABLE:
        has_label, n_missing = (_number(content, order, at + place) for place in (8, 12))
        label = 4 + 4 * -(-_size(content, order, at + 32) // 4) if has_label else 0
        return at + 32 + label + 8 * min(abs(n_missing), 3)
    if record == LABELS:
        return _labels(content, order, at)[-1]
    if record == LABELLED:
        return at + 8 + 4 * _size(content, order, at + 4)
    if record == DOCUMENTS:
        return at + 8 + 80 * _size(content, order, at + 4)
    if record == EXTENSION:
        return at + 16 + _size(content, order, at + 8) * _size(content, order, at + 12)
    raise ValueError(f"there is a record of type {record} in its dictionary")


def short_names(path: Path) -> dict[str, str]:
    """Give the column each short name, in capitals, stands for; empty where the file does not say.

    The record is SHORT=long, tabs between (GNU PSPP, System File Format, "Long Variable Names Record").
    """
    if path.suffix.lower() not in (".sav", ".zsav"):
        return {}
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            text = _record(content)
    except (OSError, ValueError):  # not there or empty: who reads the data says so
        return {}
    pairs = (part.partition("=") for part in text.split("\t"))
    return {short.strip().upper(): long.strip() for short, equals, long in pairs if equals}


def _record(content: mmap.mmap) -> str:
    for order in "<>":
        at = content.find(struct.pack(f"{order}3i", *_HEAD))
        if 0 <= at <= len(content) - 16:
            (length,) = struct.unpack_from(f"{order}I", content, at + 12)
            return decoded(content[at + 16 : at + 16 + length])
    return ""
