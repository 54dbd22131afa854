"""The folder shows the flow: what a module imports lies in its own package or an earlier one."""

from __future__ import annotations

import ast
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import hlmbayes

ROOT = Path(hlmbayes.__file__).parent
FLOW = (
    "version",
    "words",
    "errors",
    "writing",
    "arguments",
    "threads",
    "naming",
    "text_table",
    "notebook",
    "labels",
    "faces",
    "printed",
    "labelled",
    "data",
    "equations",
    "datasets",
    "hlm_files",
    "terms",
    "unit_moments",
    "likelihood",
    "laws",
    "estimation",
    "hglm",
    "inference",
    "hypotheses",
    "derived",
    "residuals",
    "priors",
    "density",
    "sampling",
    "posterior",
    "predictions",
    "many_fits",
    "diagnostics",
    "report",
    "figures",
    "model_tables",
    "front",
    "plots",
    "runs",
    "app",
    "cli",
    "__main__",
    "",
)
# the numerical core: what estimates, tests and residuals rest on, from the data on
CORE = FLOW[FLOW.index("data") : FLOW.index("residuals") + 1]
LIGHT = {"numpy", "scipy"}
MOST_LINES = 400  # of a file
LARGEST_SHARE = 0.12  # of all lines in one package


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}


@cache
def tree_of(name: str) -> ast.Module:
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


def imports_of(name: str, *, everywhere: bool) -> list[ast.Import | ast.ImportFrom]:
    """Give the imports of a module: all, or those that run when it is imported."""
    tree = tree_of(name)
    if everywhere:
        return [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    todo: list[ast.AST] = list(tree.body)
    found = []
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append(node)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            todo.extend(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            todo.extend(ast.iter_child_nodes(node))
    return found


def own_imports(name: str) -> set[str]:
    """Give the package's modules that a module imports, in functions and for type checkers too."""
    found = set()
    package = MODULES[name].relative_to(ROOT).parent.parts
    for node in imports_of(name, everywhere=True):
        if isinstance(node, ast.Import):
            modules = [alias.name.split(".")[1:] for alias in node.names if alias.name.startswith("hlmbayes")]
            found |= {".".join(parts) for parts in modules}
        elif node.level or str(node.module).startswith("hlmbayes"):
            base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            base = [
                part for part in (base if node.level else base[-len(base) :]) if part and part != "hlmbayes"
            ]
            for alias in node.names:
                full = ".".join([*base, alias.name])
                found.add(full if full in MODULES else ".".join(base))
    return found - {name}


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    return {name: own_imports(name) for name in MODULES if name}


def test_imports_go_one_way(graph):
    def place(name: str) -> int:
        return FLOW.index(name.split(".")[0])

    later = {name: [other for other in graph[name] if place(other) > place(name)] for name in graph}
    assert {name: found for name, found in later.items() if found} == {}, "imports from later in the flow"


def test_no_module_needs_itself(graph):
    assert list(TopologicalSorter(graph).static_order())


def test_the_core_imports_only_numpy_and_scipy():
    known = LIGHT | set(sys.stdlib_module_names)
    others = []
    for name in MODULES:
        for node in imports_of(name, everywhere=False) if name.split(".")[0] in CORE else ():
            if isinstance(node, ast.Import):
                named = [alias.name for alias in node.names]
            else:
                named = [] if node.level else [str(node.module)]
            others += [(name, other) for other in named if other.split(".")[0] not in known]
    assert others == []


def test_no_room_is_too_large():
    lines = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in MODULES.items()}
    assert {name: n for name, n in lines.items() if n > MOST_LINES} == {}
    packages: dict[str, int] = {}
    for name, n in lines.items():
        packages[name.split(".")[0]] = packages.get(name.split(".")[0], 0) + n
    assert max(packages.values()) <= LARGEST_SHARE * sum(lines.values())


def test_a_circle_is_found():
    graph = {"a": {"b"}, "b": {"a"}}
    with pytest.raises(ValueError, match="cycle"):
        list(TopologicalSorter(graph).static_order())
