"""`hlmbayes warm`: what NUTS samples with, compiled once and kept."""

from __future__ import annotations

import argparse

from .console import DONE

TEXT = """\
Compile what NUTS (--sampler nuts) samples with and keep it on disk: once after an installation, or when an
image of a machine is made, so that nobody waits for it. Without it the first posterior by NUTS takes some
five seconds longer. The direct sampler, which is taken unless it fails its check, needs nothing compiled.

  hlmbayes warm"""


def warm(args: argparse.Namespace) -> int:
    """Compile, and say where it is kept."""
    from ..sampling.nuts import compile_density

    seconds, folder = compile_density()
    print(f"{'Compiled' if seconds > 1 else 'There already'} ({seconds:.1f} s): {folder}")
    return DONE
