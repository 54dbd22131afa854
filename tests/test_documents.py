"""The Python in README.md and docs/ runs, and so do the README's commands."""

from __future__ import annotations

import json
import re
import shutil
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pyreadstat
import pytest

import hlmbayes as hlm
from hlmbayes.cli import main
from tests.bench import page as speed

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^    (hlmbayes (?:run|plot|sample|describe) models/.*)$", re.MULTILINE)
IMPUTED = 3
# what a page says the reader has: data sets with weights, studies, parts of a study
EQUATIONS = """
    mathach = b0 + b1*group(ses) + r
    b0 = g00 + g01*sector + g02*meanses + u0
    b1 = g10 + g11*sector + g12*meanses + u1
"""


def frames() -> tuple[pd.DataFrame, pd.DataFrame]:
    """High School and Beyond with weights, copies, plausible values and replicate weights."""
    data, rng = hlm.datasets.hsb(), np.random.default_rng(1)
    students = pd.DataFrame({"id": data.unit_ids[data.unit], **data.level1})
    schools = pd.DataFrame({"id": data.unit_ids, **data.level2})
    n, J = len(students), len(schools)
    students["w"] = students["w_student"] = rng.uniform(0.5, 2.0, n)
    students["copies"], students["p"] = rng.integers(1, 3, n), rng.uniform(0.5, 2.0, n)
    schools["w_school"] = rng.uniform(0.5, 2.0, J)
    for k in range(1, 6):
        students[f"PV{k}"] = students["mathach"] + rng.normal(size=n)
    signs = np.where(rng.random((J, 80)) < 0.5, 0.5, 1.5)
    unit, total = data.unit, students["w"].to_numpy() * schools["w_school"].to_numpy()[data.unit]
    replicates = pd.DataFrame({f"rep{k + 1}": total * signs[unit, k] for k in range(80)})
    return pd.concat([students, replicates], axis=1), schools


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with the files the pages name."""
    folder = tmp_path_factory.mktemp("documents")
    students, schools = frames()
    pyreadstat.write_sav(students, str(folder / "hsb1.sav"))
    pyreadstat.write_sav(schools, str(folder / "hsb2.sav"))
    stacked = [students[["id", "ses", "mathach"]].assign(imp=k + 1) for k in range(IMPUTED)]
    for k, one in enumerate(stacked):
        one["mathach"] += np.random.default_rng(k).normal(size=len(one))
    kept = ["id", "sector", "meanses"]
    pd.concat(stacked).merge(schools[kept]).to_csv(folder / "stacked.csv", index=False)
    (folder / "rows").mkdir()
    rows = students[["id", "ses", "mathach"]].rename(columns={"id": "school"})
    for k, part in enumerate(np.array_split(np.arange(len(rows)), 3)):
        rows.iloc[part].to_parquet(folder / "rows" / f"part{k}.parquet")
    schools[kept].rename(columns={"id": "school"}).to_parquet(folder / "schools.parquet")
    model, data = hlm.Model(EQUATIONS), hlm.read(students, schools[kept], id="id")
    for k, site in enumerate((data.unit < 80, data.unit >= 80), 1):
        one = hlm.read(students[site], schools[kept], id="id")
        hlm.moments(one, model=model).save(folder / f"site{k}.moments.parquet")
    for part in ("models", "hlmbayes/datasets"):
        shutil.copytree(ROOT / part, folder / part)
    return folder


def given() -> dict[str, object]:
    """What pages take for granted where they do not make it themselves."""
    students, schools = frames()
    rng = np.random.default_rng(2)
    studies = {"id": np.arange(20), "d": rng.normal(size=20), "v": rng.uniform(0.1, 0.5, 20)}
    data, model = hlm.read(students, schools, id="id"), hlm.Model(EQUATIONS)
    smaller = hlm.Model(EQUATIONS.replace("+ u1", ""))
    return {
        "hlm": hlm, "data": data, "model": model, "studies": hlm.read(studies, id="id"), "smaller": smaller,
        "effect": hlm.Model("d = b0 + r\nb0 = g00 + u0"), "other": smaller.fit(data),
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_python_of_a_page_runs(page, place, monkeypatch):
    monkeypatch.chdir(place)
    names = given()
    for k, block in enumerate(BLOCK.findall(page.read_text(encoding="utf-8"))):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", hlm.HLMWarning)  # such as REML that becomes ML
            exec(compile(block, f"{page.name}, block {k + 1}", "exec"), names)
    plt.close("all")


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMAND.findall((ROOT / "README.md").read_text(encoding="utf-8")))
def test_the_commands_of_the_readme_run(command, place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    assert main(command.split()[1:]) == 0
    assert capsys.readouterr().out


def test_the_table_of_speed_is_that_of_the_stored_run():
    text = speed.PAGE.read_text(encoding="utf-8")
    assert speed.written(text, json.loads(speed.STORED.read_text())) == text


def test_links_between_the_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_public_word_is_in_the_glossary():
    words = set(re.findall(r"`(\w+)", (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")))
    public = {name for name in dir(hlm) if not name.startswith("_")}
    for face in (hlm.Fit, hlm.Posterior, hlm.Model, hlm.TwoLevelData, hlm.Moments):
        public |= {name for name in dir(face) if not name.startswith("_")}
    assert public <= words, f"not in the glossary: {sorted(public - words)}"
