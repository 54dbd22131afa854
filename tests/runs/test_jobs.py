"""What a command file asks for is done, or said not to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hlmbayes import datasets
from hlmbayes.errors import CommandFileError, DataError
from hlmbayes.estimation.estimate import fit
from hlmbayes.runs.analysis import job_tables
from hlmbayes.runs.estimate import fit_job, read_data
from hlmbayes.runs.jobs import asked_otherwise, job_from_equations, job_from_file

HSB1, HSB2 = map(str, datasets.hsb_paths())
MODEL1 = "mathach = b0 + r\nb0 = g00 + u0"
COMMANDS = """#WHLM CMD FILE FOR my.mdm
level1:MATHACH=INTRCPT1+RANDOM
level2:INTRCPT1=INTRCPT2+RANDOM/
title:A run
output:C:\\out\\hlm2.txt
{more}
"""
TEMPLATE = """#HLM2 MDM CREATION TEMPLATE
l1fname:rows.csv
l2fname:units.csv
timeofdeletion:{deletion}
mdmname:my.mdm
*begin l1vars
level2id:ID
X
MATHACH
*end l1vars
*begin l2vars
level2id:ID
W
*end l2vars
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with data in which x is missing on three rows and mathach on one."""
    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(1, 11), 8)
    y = (5 + rng.normal(size=10)[unit - 1] + rng.normal(size=80)).round(3).astype(str)
    x = rng.normal(size=80).round(3).astype(str)
    x[[3, 20, 41]] = ""
    y[[20]] = ""
    rows = "\n".join(f"{u},{a},{b}" for u, a, b in zip(unit, x, y, strict=True))
    (tmp_path / "rows.csv").write_text(f"id,x,mathach\n{rows}\n", encoding="utf-8")
    units = "\n".join(f"{u},{u % 3}" for u in range(1, 11))
    (tmp_path / "units.csv").write_text(f"id,w\n{units}\n", encoding="utf-8")
    return tmp_path


def command(folder: Path, more: str = "", deletion: str = "analysis") -> str:
    (folder / "my.hlm").write_text(COMMANDS.format(more=more), encoding="utf-8")
    (folder / "my.mdmt").write_text(TEMPLATE.format(deletion=deletion), encoding="utf-8")
    return str(folder / "my.hlm")


@pytest.mark.parametrize(("deletion", "n_rows", "n_in_data"), [("analysis", 79, 80), ("now", 77, None)])
def test_time_of_deletion(folder: Path, deletion: str, n_rows: int, n_in_data: int | None) -> None:
    job = job_from_file(command(folder, deletion=deletion))
    got = job_tables(job, fit_job(job, read_data(job)))
    assert got.header.n_rows == n_rows
    assert got.header.n_rows_in_data == n_in_data
    notes = " ".join(s for group in got.notes for s in group.sentences)
    assert ("3 of 80 level-1 rows had missing values and were dropped" in notes) == (deletion == "now")


def test_the_header_says_what_the_command_file_says(folder: Path) -> None:
    job = job_from_file(command(folder, "numit:50\nfulloutput:y\nlev1ols:4\nmlf:y"))
    header = job_tables(job, fit_job(job, read_data(job))).header
    assert (header.title, header.command_file, header.data_source) == ("A run", "my.hlm", "my.mdm")
    assert header.output_file == "C:\\out\\hlm2.txt"
    assert (header.max_iterations, header.method) == (50, "ML")


def test_options_reach_the_estimation(folder: Path) -> None:
    job = job_from_file(command(folder, "numit:2\nstopval:0.0000000001\nfulloutput:y\nlev1ols:4"))
    result = fit_job(job, read_data(job))
    assert result.iterations == 2
    assert result.algorithm == "hlm"
    got = job_tables(job, result)
    assert got.full_output
    assert len(got.unit_regressions) == 4
    assert got.least_squares is not None


def test_iterations_go_on_after_the_limit_where_asked(folder: Path) -> None:
    job = job_from_file(command(folder, "numit:2,y"))
    result = fit_job(job, read_data(job))
    assert result.converged
    assert result.iterations > 2
    got = job_tables(job, result)
    assert got.header.max_iterations == 2
    said = " ".join(s for group in got.notes for s in group.sentences)
    assert "numit:2,y asks to go on after iteration 2 until the iterations converge" in said
    stopped = job_from_file(command(folder, "numit:2,n"))
    assert not fit_job(stopped, read_data(stopped)).converged
    exact = job_tables(job, fit_job(asked_otherwise(job, algorithm="exact"), read_data(job)))
    assert "numit:2,y" not in " ".join(s for group in exact.notes for s in group.sentences)


def test_a_fixed_sigma2_is_held(folder: Path) -> None:
    job = job_from_file(command(folder, "fixsigma2:1.21"))
    assert job.warnings == ()
    result = fit_job(job, read_data(job))
    assert result.sigma2 == 1.21
    assert result.deviance == fit(job.model, read_data(job), sigma2=1.21).deviance
    said = " ".join(s for group in job_tables(job, result).notes for s in group.sentences)
    assert "Sigma squared is held at 1.21 and not estimated" in said


def test_unconverged_homogeneous_iterations_are_not_counted_as_those_of_the_last_round(folder: Path) -> None:
    job = job_from_file(command(folder, "numit:2\nmlf:y\nheterol1var:X\nstopval:0.0000000001"))
    warnings = job_tables(job, fit_job(job, read_data(job))).notes[0].sentences
    assert warnings[0].startswith(
        "The estimation has not converged: the tables are those of the last iteration"
    )


def test_names_that_hlm_cut_find_their_columns(folder: Path) -> None:
    for name in ("rows.csv", "units.csv"):
        text = (folder / name).read_text(encoding="utf-8")
        text = text.replace("id,", "school,", 1).replace("mathach", "mathachievement", 1)
        (folder / name).write_text(text.replace(",w\n", ",weight_of_unit\n", 1), encoding="utf-8")
    file = command(folder, "level2weight:WEIGHT_O\nresfil2:y/WEIGHT_O")
    for name in ("my.hlm", "my.mdmt"):
        text = (
            (folder / name)
            .read_text(encoding="utf-8")
            .replace("MATHACH", "MATHACHI")
            .replace(":ID", ":SCHOOL")
        )
        (folder / name).write_text(text.replace("\nW\n", "\nWEIGHT_O\n"), encoding="utf-8")
    job = job_from_file(file)
    data = read_data(job)
    assert {"MATHACHI", "x"} == set(data.level1)
    assert "WEIGHT_O" in data.level2
    assert sum("HLM's files shorten names" in note for note in data.notes) == 2
    equations = job_from_equations(
        "mathachi = b0 + r; b0 = g00 + u0", level1=str(folder / "rows.csv"), id="school"
    )
    with pytest.raises(DataError, match="no level-1 column 'mathachi'"):
        fit_job(equations, read_data(equations))


def test_a_template_may_call_the_id_differently_at_level_2(folder: Path) -> None:
    file = command(folder)
    template = (
        (folder / "my.mdmt").read_text(encoding="utf-8").replace("level2id:ID\nW", "level2id:SCHOOL\nW")
    )
    (folder / "my.mdmt").write_text(template, encoding="utf-8")
    units = (folder / "units.csv").read_text(encoding="utf-8").replace("id,w", "school,w")
    (folder / "units.csv").write_text(units, encoding="utf-8")
    assert read_data(job_from_file(file)).n_units == 10


def test_a_command_file_may_be_called_txt(folder: Path) -> None:
    file = Path(command(folder)).rename(folder / "my.txt")
    job = job_from_file(str(file))
    assert job.options.title == "A run"
    assert job.folder == folder


def test_method_can_be_overridden(folder: Path) -> None:
    job = job_from_file(command(folder))
    assert asked_otherwise(job).options.method == "REML"
    assert asked_otherwise(job, method="ML").options.method == "ML"


def test_files_that_are_not_written_are_a_warning(folder: Path) -> None:
    job = job_from_file(command(folder, "resfil2:y/W\nresfil2name:res2.sav\ngraphgammas:x.geq"))
    got = job_tables(job, fit_job(job, read_data(job)))
    (group,) = [group for group in got.notes if group.warning]
    assert group.heading == "asked for and not done"
    assert "no graph file is written" in group.sentences[0]
    assert "res2.sav" not in " ".join(group.sentences)


def test_equations_with_data_files() -> None:
    job = job_from_equations(MODEL1, level1=HSB1, level2=HSB2, id="id")
    assert job.source.mdm == "hsb1.sav + hsb2.sav"
    assert fit_job(job, read_data(job)).n_rows == 7185


def test_equations_in_a_file(tmp_path: Path) -> None:
    for name in ("m.txt", "m.EQ"):
        file = tmp_path / name
        file.write_text("\ufeff" + MODEL1, encoding="utf-8")
        job = job_from_file(str(file), level1=HSB1, level2=HSB2)
        assert job.name == name
        assert job.source.id == "id"


def test_equations_without_data_say_what_to_add() -> None:
    with pytest.raises(CommandFileError, match="--level1 FILE"):
        job_from_equations(MODEL1)


def test_data_files_can_be_named_instead_of_the_templates(folder: Path) -> None:
    file = command(folder)
    (folder / "my.mdmt").unlink()
    job = job_from_file(file, level1=str(folder / "rows.csv"), level2=str(folder / "units.csv"), id="id")
    assert read_data(job).n_rows == 80


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system(tmp_path: Path, ends: str) -> None:
    """Old Macintosh files have CR alone, in command files and in templates found by what they say."""
    lines = ["#WHLM CMD FILE FOR a.mdm", "level1:Y=INTRCPT1+RANDOM", "level2:INTRCPT1=INTRCPT2+RANDOM/"]
    template = ["rawdattype:csv", "l1fname:a.csv", "mdmname:a.mdm", "*begin l1vars", "level2id:ID", "Y"]
    (tmp_path / "a.csv").write_text("ID,Y\n1,2\n1,3\n2,5\n2,7\n3,4\n3,4\n")
    for name, text in (("other.mdmt", [*template, "*end l1vars"]), ("a.hlm", lines), ("a.txt", lines)):
        (tmp_path / name).write_bytes(ends.join(text).encode())
    for name in ("a.hlm", "a.txt"):
        assert read_data(job_from_file(str(tmp_path / name))).n_units == 3


@pytest.mark.parametrize("reading", ["variance", "precision"])
def test_varianceknown_is_read_both_ways_and_the_listing_says_which(folder: Path, reading: Any) -> None:
    lines = (folder / "rows.csv").read_text(encoding="utf-8").splitlines()
    v = ["V", *np.linspace(0.5, 2.0, 80).astype(str)]
    more = "\n".join(f"{line},{value}" for line, value in zip(lines, v, strict=True))
    (folder / "v.csv").write_text(more, encoding="utf-8")
    file = command(folder, "varianceknown:V")
    job = job_from_file(file, level1=str(folder / "v.csv"), level2=str(folder / "units.csv"), id="id")
    job = asked_otherwise(job, varianceknown=reading)
    data = read_data(job)
    argument = {"variance_known" if reading == "variance" else "precision": "V"}
    found, wanted = fit_job(job, data), fit(job.model, data, algorithm="hlm", **argument)
    assert found.deviance == wanted.deviance
    (group,) = [group for group in job_tables(job, found).notes if group.heading == "varianceknown:"]
    words = {"variance": "the level-1 variance of a row is its V", "precision": "is sigma squared / V"}
    read, other = group.sentences[0].split("; --varianceknown ")
    assert words[reading] in read
    assert words[reading] not in other
