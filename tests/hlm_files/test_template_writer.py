"""Templates that are written read back."""

from __future__ import annotations

from hlmbayes.datasets import hsb_paths
from hlmbayes.hlm_files.command_writer import template_text
from hlmbayes.hlm_files.mdm_template import parse_template


def test_a_template_reads_back(tmp_path):
    one, two = hsb_paths()
    names = (["ses", "mathach"], ["size"])
    text = template_text("hsb.mdm", (str(one), str(two)), ("id", "id"), names, False, kind="stata")
    found, warnings = parse_template(text, tmp_path / "hsb.mdmt")
    assert not warnings
    assert (found.mdm, found.level1, found.level2, found.id) == ("hsb.mdm", one, two, "id")
    assert (found.level1_names, found.level2_names) == (("ses", "mathach"), ("size",))
    assert found.raw_type == "stata"
