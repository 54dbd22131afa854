"""`python -m hlmbayes` is the command."""

from __future__ import annotations

import runpy
import sys

import pytest


def test_running_the_package_runs_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["hlmbayes", "run"])
    with pytest.raises(SystemExit) as stop:
        runpy.run_module("hlmbayes", run_name="__main__")
    assert stop.value.code == 2
    assert "neither a file nor --equations" in capsys.readouterr().err
