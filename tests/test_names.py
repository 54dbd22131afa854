"""What docstrings and pages call by a dotted name in backticks is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import hlmbayes
from hlmbayes import Fit
from hlmbayes.front.posterior import Posterior
from hlmbayes.unit_moments.record import Moments

ROOT = Path(hlmbayes.__file__).parent
SOURCES = sorted(ROOT.rglob("*.py"))
PAGES = [ROOT.parent / "README.md", *sorted((ROOT.parent / "docs").glob("*.md"))]
DOTTED = re.compile(r"`([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)[^`\n]*`")
KINDS = "py md nc csv sav hlm mdm mdmt json html parquet toml sps txt geq exe dat docx xlsx xls ods tex typ"
FILES = re.compile(rf"\.({KINDS.replace(' ', '|')})$")
# what a page or docstring calls an object it made
EXAMPLES = {
    "hlm": hlmbayes, "fit": Fit, "post": Posterior, "model": hlmbayes.Model, "moments": Moments,
    "data": hlmbayes.TwoLevelData,
}  # fmt: skip
NOT_OURS = {"numpy", "pymc", "bmb", "frame", "point"}


def modules() -> dict[str, list[str]]:
    """List the modules by the last part of their names, and by the classes they define."""
    found: dict[str, list[str]] = {"hlmbayes": ["hlmbayes"]}
    for path in SOURCES:
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if parts[-1] != "__main__":
            defined = ast.parse(path.read_text(encoding="utf-8")).body
            for name in (parts[-1], *(node.name for node in defined if isinstance(node, ast.ClassDef))):
                found.setdefault(name, []).append(".".join(parts))
    return found


def starts(first: str, known: dict[str, list[str]]) -> Iterator[Any]:
    """Give what the first part of a name may stand for."""
    if first in EXAMPLES:
        yield EXAMPLES[first]
    for name in known.get(first, ()):
        module = import_module(name)
        yield module if name.endswith(first) else getattr(module, first)


def has(start: Any, parts: list[str]) -> bool:
    for part in parts:
        fields = getattr(start, "__annotations__", {})
        if not hasattr(start, part) and part not in fields:
            try:
                start = import_module(f"{start.__name__}.{part}")
            except (ImportError, AttributeError):
                return False
            continue
        start = getattr(start, part, None)
    return True


def test_a_dotted_name_is_there() -> None:
    known = modules()
    missing = []
    for path in (*SOURCES, *PAGES):
        names = {n for n in DOTTED.findall(path.read_text(encoding="utf-8")) if not FILES.search(n)}
        for name in sorted(names):
            first, *rest = name.split(".")
            if first not in NOT_OURS and not any(has(start, rest) for start in starts(first, known)):
                missing.append(f"{path.relative_to(ROOT.parent)}: {name}")
    assert missing == []
