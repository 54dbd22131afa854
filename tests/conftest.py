"""Fixtures for all tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

ORACLES = Path(__file__).parent / "oracles"


@pytest.fixture(scope="session")
def oracles() -> Path:
    """The folder with the numbers other programs printed."""
    return ORACLES


@pytest.fixture(scope="session")
def hlm_tables() -> dict[str, Any]:
    """HLM 6.08's printed tables of the seminar's models."""
    tables: dict[str, Any] = json.loads((ORACLES / "hlm608_tables.json").read_text(encoding="utf-8"))
    return tables
