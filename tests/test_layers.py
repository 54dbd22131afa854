"""The folder shows the flow: what a module needs to be imported lies in its own package or an earlier one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import hlmbayes

ROOT = Path(hlmbayes.__file__).parent
FLOW = (
    "errors", "words", "arguments", "labels", "data", "equations", "hlm_files", "unit_moments", "datasets",
    "likelihood", "estimation", "inference", "imputation", "residuals", "posterior", "diagnostics", "report",
    "cli", "__main__",
)  # fmt: skip
# the numerical core: everything up to the residuals, and what the two samplers rest on
CORE = (
    "data",
    "equations",
    "unit_moments",
    "likelihood",
    "estimation",
    "inference",
    "imputation",
    "residuals",
)
LIGHT = {"numpy", "scipy"}
MODULES = sorted(p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py")


def at_import(tree: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    """Give the imports that run when the module is imported: not those in functions or for type checkers."""
    todo: list[ast.AST] = list(tree.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            todo.extend(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            todo.extend(ast.iter_child_nodes(node))


def place(name: str) -> int:
    """Give a module's place in the flow; hlmbayes.plots is the front door of the figures in report."""
    first = name.split(".")[0]
    return FLOW.index("report" if first == "plots" else first)


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> tuple[set[str], set[str]]:
    """Give the package's own modules a module imports, and other top-level packages."""
    own, others = set(), set()
    package = path.relative_to(ROOT).parent.parts
    for node in at_import(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            others |= {alias.name.split(".")[0] for alias in node.names}
        elif not node.level:
            others.add(str(node.module).split(".")[0])
        else:
            base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            base = [part for part in base if part]
            names = [".".join([*base, alias.name]) for alias in node.names]
            known = [n for n in names if (ROOT / n.replace(".", "/")).with_suffix(".py").exists()]
            own |= set(known) if known else {".".join(base)}
    return own, others


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_one_way(path):
    own, _ = imported(path)
    later = {name for name in own if name and place(name) > place(name_of(path))}
    assert not later, f"{name_of(path)} imports from later in the flow: {sorted(later)}"


def test_no_module_needs_itself():
    graph = {name_of(path): imported(path)[0] - {""} for path in MODULES}
    packages = {name_of(p) for p in MODULES if p.name == "__init__.py"}
    graph = {k: v - packages for k, v in graph.items() if k not in packages}
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("path", [p for p in MODULES if name_of(p).split(".")[0] in CORE], ids=name_of)
def test_the_core_imports_only_numpy_and_scipy(path):
    import sys

    _, others = imported(path)
    assert others - LIGHT - set(sys.stdlib_module_names) == set()
