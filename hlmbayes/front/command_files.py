"""`read_command_file`: HLM's command file as users hold it, with a model that can be estimated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ..hlm_files import command_file
from ..hlm_files.command_file import CommandFile
from .model import Model


def read_command_file(path: str | Path, **where: Any) -> CommandFile:
    """Read a command file; see `hlmbayes.hlm_files.command_file.read_command_file`.

    ``where``: ``level1``, ``level2``, ``id``, ``find_data``.
    """
    found = command_file.read_command_file(path, **where)
    parts = found.model
    model = Model.from_parts(parts.outcome, parts.coefficients, parts.log_sigma2, parts.constraints)
    return replace(found, model=model)
