"""Checks of a fit or a posterior, each with a verdict in plain words.

`diagnostic_tree` (both engines' residuals in one layout), `checks`, `predictions` (model graphs as numbers).
"""

from .checks import Check, Checks, check, homogeneity, influence, normality_level1, normality_level2, outliers
from .diagnostic_tree import tree

__all__ = [
    "Check", "Checks", "check", "homogeneity", "influence", "normality_level1", "normality_level2",
    "outliers", "tree",
]  # fmt: skip
