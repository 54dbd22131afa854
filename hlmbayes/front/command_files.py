"""HLM's command files as users hold them: with a model that can be estimated."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..arguments import in_words
from ..hlm_files import command_file
from .model import Model


@dataclass(frozen=True, slots=True)
class CommandFile(command_file.CommandFile):
    """A command file as read; the attributes are those of `hlmbayes.hlm_files.command_file.CommandFile`."""

    model: Model


@in_words
def read_command_file(path: str | Path, **where: Any) -> CommandFile:
    """Read a command file; see `hlmbayes.hlm_files.command_file.read_command_file`.

    ``where``: ``level1``, ``level2``, ``id``, ``find_data``.
    """
    found = command_file.read_command_file(path, **where)
    values = {field.name: getattr(found, field.name) for field in fields(found)}
    return CommandFile(**values | {"model": Model.from_parts(*found.model.parts)})
