"""The command `hlmbayes`: `command`, `sample` (subcommands); `jobs`, `output_jobs` (a command file, done)."""

from .command import main

__all__ = ["main"]
