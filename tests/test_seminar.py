"""docs/seminar.md: every line of its listings is one that the command prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hlmbayes.cli import main

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "seminar.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"<!-- (models/\S+\.hlm) -->\n```text\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_has_the_four_models() -> None:
    assert [name for name, _ in BLOCKS] == [
        "models/model1_unconditional.hlm", "models/model2_means_as_outcomes.hlm",
        "models/model3_random_coefficients.hlm", "models/model4_intercepts_slopes.hlm",
        "models/model4_nonrandom_slope.hlm",
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "block"), BLOCKS, ids=[name for name, _ in BLOCKS])
def test_its_listings_are_what_is_printed(name: str, block: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(ROOT / name)]) == 0
    printed = {line.rstrip() for line in capsys.readouterr().out.splitlines()}
    for line in block.splitlines():
        assert line.rstrip() in printed
