"""`hlmbayes warm`: what NUTS needs is compiled, and kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from hlmbayes.cli import main
from hlmbayes.density import kernel


def test_it_is_compiled_and_kept_where_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["warm"]) == 0
    said, _, folder = capsys.readouterr().out.strip().partition(": ")
    assert said.startswith(("Compiled (", "There already ("))
    assert list(Path(folder).glob("kernel.density-*.nbc"))


def test_without_a_place_to_keep_it_the_command_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(kernel.FAST, "cache", False)
    assert main(["warm"]) == 2
    assert "cannot be kept" in capsys.readouterr().err
