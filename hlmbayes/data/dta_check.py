"""A look at the head of a Stata file: the reader believes how many variables and rows it claims.

The layout is that of Stata's "Description of .dta file format", 117 to 119.
"""

from __future__ import annotations

import re
from pathlib import Path

HEAD = re.compile(
    rb"<stata_dta><header><release>(\d{3})</release><byteorder>(LSF|MSF)</byteorder><K>(.{2}|.{4})</K><N>"
    rb"(.{4}|.{8})</N>",
    re.DOTALL,
)
NAME = 33  # bytes of a name, at least


def damage(path: Path) -> str:
    """Say what is wrong with the head of a .dta file; nothing if it claims no more than there is room for."""
    with path.open("rb") as file:
        head = HEAD.match(file.read(200))
    if head is None:  # of an older format, or none: the reader says so
        return ""
    order = "little" if head[2] == b"LSF" else "big"
    size = path.stat().st_size
    n_variables, n_rows = (int.from_bytes(head[k], order) for k in (3, 4))  # type: ignore[arg-type]
    if max(NAME, n_rows) * n_variables > size:  # a value has a byte or more
        return f"it claims {n_rows} rows of {n_variables} variables, and has room for fewer"
    return ""
