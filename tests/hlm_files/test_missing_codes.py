"""Missing codes in a template are obeyed or refused, never passed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from hlmbayes.cli.command import main
from hlmbayes.errors import CommandFileError
from hlmbayes.hlm_files.mdm_template import read_template

TEMPLATE = """\
#HLM2 MDM CREATION TEMPLATE
rawdattype:ascii
l1fname:rows.csv
l2fname:units.csv
MISSING
timeofdeletion:analysis
mdmname:t.mdm
*begin l1vars
level2id:ID
X
Y
*end l1vars
*begin l2vars
level2id:ID
W
*end l2vars
"""
COMMANDS = """\
#WHLM CMD FILE FOR t.mdm
level1:Y=INTRCPT1+X+RANDOM
level2:INTRCPT1=INTRCPT2+W+random/
level2:X=INTRCPT2/
"""


def template(tmp_path: Path, *lines: str) -> Path:
    rows = "".join(f"{k // 6},{k % 4},{(k * 7) % 11 + k // 6}\n" for k in range(60))
    (tmp_path / "rows.csv").write_text(f"ID,X,Y\n{rows}1,-9,3\n2,2,-99\n")
    (tmp_path / "units.csv").write_text("ID,W\n" + "".join(f"{j},{j * j % 7}\n" for j in range(10)))
    (tmp_path / "t.hlm").write_text(COMMANDS)
    path = tmp_path / "t.mdmt"
    path.write_text(TEMPLATE.replace("MISSING", "\n".join(lines)))
    return path


CODES = {
    ("l1missval:-99,-9",): ({"*": (-99, -9)}, {}),
    ("l1missing:y", "l1missval: -99 -9", "l2missval:-1"): ({"*": (-99, -9)}, {"*": (-1,)}),
    ("l1missval:X=-9", "l1missval:Y,-99"): ({"x": (-9,), "y": (-99,)}, {}),
    ("missval:-99",): ({"*": (-99,)}, {"*": (-99,)}),
    ("l1missval:", "l1missing:n"): ({}, {}),
}


@pytest.mark.parametrize("lines", CODES)
def test_codes_of_a_template(tmp_path, lines):
    source, warnings = read_template(template(tmp_path, *lines))
    assert source.reading.missing == CODES[lines]
    assert warnings == ()


def test_codes_of_a_template_are_missing_in_the_run(tmp_path, capsys):
    template(tmp_path, "l1missing:y", "l1missval:-99,-9")
    assert main(["run", str(tmp_path / "t.hlm")]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "60 level-1 records in 10 level-2 units were analysed" in out
    assert "says: X: 1 value of -9, Y: 1 value of -99" in out
    template(tmp_path, "l1missing:y", "l1missval:X=-9")
    assert main(["run", str(tmp_path / "t.hlm"), "--missing", "Y=-99"]) == 0
    assert "60 level-1 records in 10 level-2 units" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            ("l1missval:none",),
            "line 5: l1missval:none is not understood; wanted numbers, -99,-9, or NAME=-99; or take",
        ),
        (("l1missval:X",), "not understood"),
        (("l1missval:X=-9,Y",), "not understood"),
        (
            ("l1missing:n", "l1missval:-99"),
            "names a missing code, and l1missing:n says that there are none; take one",
        ),
    ],
)
def test_codes_that_are_not_understood_are_refused(tmp_path, lines, words):
    with pytest.raises(CommandFileError, match=words):
        read_template(template(tmp_path, *lines))
