"""A "keyword:value" line of HLM's text files, and the kinds of values it can have."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import NamedTuple, NoReturn

from ..errors import CommandFileError
from .mdm_template import own_name


class Line(NamedTuple):
    """A "keyword:value" line and its place."""

    where: str
    keyword: str
    value: str

    def fail(self, message: str) -> NoReturn:
        """Raise the CommandFileError for this line."""
        raise CommandFileError(f"{self.where}: {message}")


def is_off(value: str) -> bool:
    """Whether a value asks for nothing: n, none, 0 or empty; what follows a comma does not count."""
    first = value.split(",")[0].strip().casefold()
    return first in ("", "n", "no", "none") or bool(re.fullmatch(r"0+(\.0*)?", first, re.ASCII))


def on(line: Line) -> bool:
    """Whether a line asks for something, whatever it is (printvariance-covariance:A)."""
    return not is_off(line.value)


def yes(line: Line) -> bool:
    """The answer y or n."""
    value = line.value.strip().casefold()
    if value in ("y", "yes"):
        return True
    if not is_off(line.value):
        line.fail(f"{line.keyword}: wants y or n, got {line.value!r}")
    return False


def whole(line: Line) -> int:
    """A whole number; what follows a comma does not count."""
    field = line.value.split(",")[0].strip()
    if not re.fullmatch(r"\d{1,9}(\.0*)?", field, re.ASCII):
        line.fail(f"{line.keyword}: wants a whole number, got {line.value!r}")
    return int(field.partition(".")[0])


def iterations(line: Line) -> int:
    """A whole number above 0."""
    found = whole(line)
    if found == 0:
        line.fail(f"{line.keyword}: wants a whole number above 0, got {line.value!r}")
    return found


def keep_going(line: Line) -> bool:
    """The second field of numit:100,y: whether to iterate on after the 100th."""
    field = line.value.partition(",")[2].strip().casefold()
    if field not in ("", "y", "yes", "n", "no"):
        line.fail(
            f"{line.keyword}: wants a number, then y to iterate on or n to stop there, got {line.value!r}"
        )
    return field in ("y", "yes")


def number(line: Line, field: str | None = None) -> float:
    """A number (also Fortran's 1.0D-06), of a field of the value or of all of it."""
    given = (line.value if field is None else field).strip()
    try:
        found = float(given.replace("D", "E").replace("d", "e"))
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        line.fail(f"{line.keyword}: wants a number, got {given!r}")
    return found


def positive(line: Line) -> float:
    """A number above 0."""
    found = number(line)
    if found <= 0:
        line.fail(f"{line.keyword}: wants a number above 0, got {line.value!r}")
    return found


def or_none[V](read: Callable[[Line], V]) -> Callable[[Line], V | None]:
    """What a line says; None where nothing is asked for."""
    return lambda line: None if is_off(line.value) else read(line)


def words(line: Line) -> str:
    """The value as it is."""
    return line.value.strip()


def name(line: Line) -> str | None:
    """The name of a variable; None where nothing is asked for."""
    return None if is_off(line.value) else line.value.split(",")[0].strip()


def names(line: Line) -> tuple[str, ...]:
    """Names with "," or "/" between them."""
    if is_off(line.value):
        return ()
    return tuple(part.strip() for part in line.value.replace("/", ",").split(",") if part.strip())


def file(line: Line) -> str:
    """The own name of a file in a Windows or Unix path; "" where nothing is asked for."""
    return "" if is_off(line.value) else own_name(line.value)


def method(line: Line) -> str:
    """The method mlf: asks for."""
    return "ML" if yes(line) else "REML"


def is_hypothesis(keyword: str) -> bool:
    """Whether a keyword is gamma1, gamma2, ...: a row of that hypothesis."""
    return bool(re.fullmatch(r"gamma[0-9]{1,4}", keyword))


def hypothesis_rows(line: Line) -> list[tuple[float, ...]]:
    """Rows of a hypothesis: 0,1,0 or several with "/" between them; rows of zeros ask for nothing."""
    parts = [part.strip(" \t").rstrip(",") for part in line.value.split("/")]
    rows = [tuple(number(line, field) for field in part.split(",")) for part in parts if part]
    if not rows:
        line.fail(f"{line.keyword}: wants one coefficient for each gamma, such as {line.keyword}:0.0,1.0,0.0")
    return [row for row in rows if any(row)]
