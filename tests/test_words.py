"""Names and numbers in words."""

from __future__ import annotations

from hlmbayes.errors import DataError
from hlmbayes.words import LONGEST, nearest, one_line, p_text, some


def test_some_and_nearest() -> None:
    assert some([]) == "none"
    assert some([1, 2]) == "1, 2"
    assert some(range(10), 3) == "0, 1, 2 and 7 more"
    assert nearest("MATHAC", ["ses", "Mathach"]) == "Mathach"
    assert nearest("x", ["mathach"]) is None


def test_p_values_in_words() -> None:
    assert p_text(0.04321) == "p = 0.043"
    assert p_text(1e-9) == "p < 0.001"
    assert p_text(float("nan")) == "p not available"


def test_messages_of_errors_are_one_line_of_bounded_length() -> None:
    assert one_line("a\n  b\r\n\x85c") == "a b  c"
    assert str(DataError("got `\n`\u2028 wanted x")) == "got ` ` wanted x"
    long = str(DataError("a" * 50_000 + "z"))
    assert len(long) == LONGEST + 5
    assert long.endswith("z")
