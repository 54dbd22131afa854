"""Which version of HLM made a command file and its data: the signs of HLM 7 and 8.

HLM 6 writes its listing as text, HLM 7 and 8 as a page; and these two have keywords that HLM 6 has not.
"""

from __future__ import annotations

from collections.abc import Sequence

from .keyword_values import Line
from .mdm_template import DataSource

SINCE_7 = {
    "agq", "agqderivlevel", "autoimpute", "autoimputeiter", "autoimputekeep", "fishertype", "diagonalizetau",
    "diagonalizetaubeta", "diagonalizetaupi",
}  # fmt: skip


def sign_of_hlm7(lines: Sequence[Line], source: DataSource | None) -> str:
    """Say by what a command file or its .mdm shows that HLM 7 or 8 made it; "" where nothing does."""
    header = source.header if source else None
    if header is not None and header.version >= 7:
        return f"{header.name} is of version {header.version:g}"
    for line in lines:
        page = line.keyword == "output" and line.value.lower().endswith((".html", ".htm"))
        if page or line.keyword in SINCE_7:
            return f"{line.where}, has {line.keyword}:{line.value if page else ''}"
    return ""
