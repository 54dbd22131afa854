"""Data sets that come with the package.

High School and Beyond
    `hsb1.sav` (7,185 students) and `hsb2.sav` (their 160 schools).  Source: U.S. National Center for
    Education Statistics, High School and Beyond, 1982; the subset of S. W. Raudenbush and A. S. Bryk,
    *Hierarchical Linear Models* (2nd ed., Sage 2002), ch. 4.  The same data are MathAchieve and
    MathAchSchool in R's nlme.  Made by `scripts/make_hsb.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..data.two_level import TwoLevelData

__all__ = ["hsb", "hsb_paths"]


def hsb_paths() -> tuple[Path, Path]:
    """Return the paths of `hsb1.sav` (students) and `hsb2.sav` (schools)."""
    folder = Path(__file__).parent
    return folder / "hsb1.sav", folder / "hsb2.sav"


def hsb() -> TwoLevelData:
    """Read the High School and Beyond data: 7,185 students in 160 schools.

    Level 1: minority, female, ses, mathach.  Level 2: size, sector, pracad, disclim, himinty, meanses.
    """
    from ..data.two_level import read

    return read(*hsb_paths(), id="id")
