"""The short names of variables in the dictionary of an SPSS file, which programs of before 2003 show."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

#: head of the record "long variable names": record type 7, subtype 13, items of one byte
_HEAD = (7, 13, 1)


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
            raw = content[at + 16 : at + 16 + length]
            try:
                return raw.decode("utf-8")
            except UnicodeDecodeError:
                return raw.decode("cp1252", errors="replace")
    return ""
