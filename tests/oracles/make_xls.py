"""Make rows.xls, the format of Excel 97, which nothing that is kept up writes any more: xlwt 1.3.0 did.

    python tests/oracles/make_xls.py

Columns: school 1 1 2 2; y 1.5 2.5 -1.25 3; x 2 missing 4 5.5.
"""

from __future__ import annotations

from pathlib import Path

import xlwt

ROWS = [["school", "y", "x"], [1, 1.5, 2], [1, 2.5, None], [2, -1.25, 4], [2, 3.0, 5.5]]

book = xlwt.Workbook()
sheet = book.add_sheet("Data")
for i, row in enumerate(ROWS):
    for j, value in enumerate(row):
        if value is not None:
            sheet.write(i, j, value)
book.save(str(Path(__file__).parent / "rows.xls"))
