"""A model as its level-1 and level-2 equations; never sees data.

`lines` and `parser` (text to parts), `parts` (the pieces of a model), `blocks` (which random effects are
correlated), `text` (back to text and LaTeX), `formula` (lme4's notation), `model` (`Model`).
"""

from .model import TwoLevelModel

__all__ = ["TwoLevelModel"]
