"""From files or frames to `TwoLevelData`: reading, ids, missing values, descriptive statistics.

`reading` (formats), `units` (ids to units), `columns` (names and numbers), `two_level` (the two levels
joined), `imputed` (several data sets of one study), `describe`.
"""

from .two_level import TwoLevelData, read

__all__ = ["TwoLevelData", "read"]
