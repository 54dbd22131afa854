"""Fixtures for all tests."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.small_posterior import hsb, make_dense, make_small, model4, small_model

__all__ = ["hsb", "make_dense", "make_small", "model4", "small_model"]

# a clock says nothing on a machine that others use too
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

ORACLES = Path(__file__).parent / "oracles"


@pytest.fixture(autouse=True)
def _figures_closed() -> Iterator[None]:
    """Leave no figure open for the next test to count."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(scope="session")
def oracles() -> Path:
    """The folder with the numbers other programs printed."""
    return ORACLES


@pytest.fixture(scope="session")
def hlm_tables() -> dict[str, Any]:
    """HLM 6.08's printed tables of the seminar's models."""
    tables: dict[str, Any] = json.loads((ORACLES / "hlm608_tables.json").read_text(encoding="utf-8"))
    return tables
