"""From files or frames to `TwoLevelData`: reading, ids, missing values, descriptive statistics.

`reading` (which reader reads what; `text_files`, `sheets`), `table`, `read_options`, `missing`, `suspects`,
`units` (ids to units), `columns` (names and numbers), `rows` (the two levels joined), `unit_columns`,
`weights`, `describe`, `two_level` (what users hold), `imputed` (several data sets of one study).
"""

from .two_level import TwoLevelData, read

__all__ = ["TwoLevelData", "read"]
