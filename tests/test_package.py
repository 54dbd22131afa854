"""The package's front door: public names, found lazily, and a cheap import."""

from __future__ import annotations

import subprocess
import sys

import pytest

import hlmbayes as hlm
from hlmbayes import errors
from hlmbayes.data import two_level as data


def loaded_by(module, packages):
    code = f"import sys, {module}; print(sorted({packages} & set(sys.modules)))"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_public_names():
    assert hlm.read is data.read
    assert hlm.TwoLevelData is data.TwoLevelData
    assert hlm.HLMError is errors.HLMError
    assert {"read", "Model", "datasets", "__version__"} <= set(dir(hlm))
    assert hlm.__version__


def test_a_wrong_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'hlmbayes' has no attribute 'reed'"):
        _ = hlm.reed


def test_a_name_whose_module_is_missing_is_an_attribute_error(monkeypatch):
    monkeypatch.setitem(hlm.PUBLIC, "Nothing", "no_such_module")
    assert not hasattr(hlm, "Nothing")


def test_a_part_that_fails_for_want_of_another_package_says_so(monkeypatch):
    def broken(name):
        raise ModuleNotFoundError("No module named 'pymc'", name="pymc")

    monkeypatch.setitem(hlm.PUBLIC, "Broken", "posterior")
    monkeypatch.setattr(hlm, "import_module", broken)
    with pytest.raises(ModuleNotFoundError, match="pymc"):
        _ = hlm.Broken


def test_importing_the_package_imports_nothing_heavy():
    assert loaded_by("hlmbayes", {"numpy", "pandas", "pymc", "arviz", "matplotlib"}) == "[]"


def test_importing_data_imports_numpy_only():
    heavy = {"numpy", "pandas", "narwhals", "pyreadstat", "pyarrow", "scipy", "difflib"}
    assert loaded_by("hlmbayes.data", heavy) == "['numpy']"
