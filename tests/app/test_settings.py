"""Settings that reach the estimates, whatever file format can say them; and what is saved opens again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hlmbayes.cli import main

pytest.importorskip("starlette")

FORM = {"max_iterations": "100", "algorithm": "hlm", "method": "REML"}


def post(window: SimpleNamespace, **fields: str) -> str:
    answer: str = window.client.post("/settings", data=FORM | fields).text
    return answer


def survey(k: int = 0) -> bytes:
    """Rows with weights, four replicate weights and three plausible values; k: x is imputed another time."""
    rng = np.random.default_rng(1)
    unit = np.repeat(np.arange(12), 6)
    base = rng.normal(size=72) + rng.normal(size=12)[unit]
    more = np.random.default_rng(k).normal(size=72)
    wide = np.random.default_rng(9)
    columns = [unit, *(base + 0.3 * wide.normal(size=72) for _ in range(3)), base + more]
    weight = 1 + wide.random(72)
    half = [weight * np.where((unit + r) % 2, 1.5, 0.5) for r in range(4)]
    columns += [weight, *half, 1 + (np.arange(72) % 3), np.full(72, k + 1)]
    names = "school,pv1,pv2,pv3,x,w,rep1,rep2,rep3,rep4,n,m"
    rows = "\n".join(",".join(f"{v:.5g}" for v in row) for row in zip(*columns, strict=True))
    return f"{names}\n{rows}\n".encode()


def sent(*contents: tuple[str, bytes]) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", content) for content in contents]


@pytest.fixture
def open_survey(window: SimpleNamespace) -> SimpleNamespace:
    window.client.post("/open", files=sent(("survey.csv", survey())))
    window.edit("outcome", "pv1")
    return window


def ran(window: SimpleNamespace) -> Any:
    """What a run's JSON says."""
    assert "Not done:" not in (page := window.client.post("/run").text), page
    return window.client.get(f"/results/{window.session.shown}/results.json").json()


def saved(window: SimpleNamespace, folder: Path, *files: tuple[str, bytes]) -> Any:
    """What the command line says of the saved text of equations, beside the data."""
    for name, content in files or (("survey.csv", survey()),):
        (folder / name).write_bytes(content)
    (folder / "model.txt").write_bytes(window.client.get("/save/model.txt").content)
    out = folder / "out.json"
    assert (
        main(["run", str(folder / "model.txt"), "--json", str(out), "--output", str(folder / "l.txt")]) == 0
    )
    return json.loads(out.read_text())


def script_says(window: SimpleNamespace, folder: Path) -> str:
    """What the saved script prints, beside the data."""
    script = window.client.get("/save/model.py").text
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=folder
    )
    return done.stdout


def opens_again(window: SimpleNamespace) -> None:
    """Text and script give the state back, undo included."""
    state = window.session.state
    for name in ("model.txt", "model.py"):
        content = window.client.get(f"/save/{name}").content
        window.edit("null")
        window.edit("outcome", "pv3") if state.model.outcome == "pv1" else None
        answer = window.client.post("/open", files=sent((name, content))).text
        assert "Not done:" not in answer, answer
        found = window.session.state
        assert found.model == state.model
        assert (found.options, found.algorithm) == (state.options, state.algorithm), name
        assert found.beside == state.beside or found.beside.imputed  # whose files are where they were sent


def test_hlm_7_has_its_own_degrees_of_freedom(model4, tmp_path):
    six = ran(model4)
    assert "Taken." in post(model4, algorithm="hlm7")
    seven = ran(model4)
    assert seven["hlm"] == "7"
    model4.edit("u", "u1")
    seven = ran(model4)
    post(model4)
    six = ran(model4)
    assert six["fixed"][3]["df"] != seven["fixed"][3]["df"]
    post(model4, algorithm="hlm7")
    for name in ("model.hlm", "model.mdmt"):
        answer = model4.client.get(f"/save/{name}")
        (tmp_path / answer.headers["content-disposition"].split('"')[1]).write_bytes(answer.content)
    main(["run", str(tmp_path / "model.hlm"), "--json", str(tmp_path / "o"), "--output", "/dev/null"])
    assert json.loads((tmp_path / "o").read_text())["fixed"] == seven["fixed"]
    assert "hlm='7'" in model4.client.get("/panel/code").text.replace("&#39;", "'")
    saved_file = model4.client.get("/save/model.hlm").content
    post(model4)
    model4.client.post("/open", files=sent(("model.hlm", saved_file)))
    assert model4.session.state.options.hlm == "7"


def test_frequencies_count(open_survey, tmp_path):
    assert "Taken." in post(open_survey, frequency1="n")
    found = ran(open_survey)
    again = saved(open_survey, tmp_path)
    assert found["fixed"] == again["fixed"]
    assert found["data"]["level1_units"] == 144
    assert f"{found['fixed'][0]['estimate']:.6f}" in script_says(open_survey, tmp_path)
    answer = open_survey.client.get("/save/model.hlm")
    assert answer.status_code == 422
    assert "no keyword for frequency" in answer.text
    assert "hlmbayes run model.txt" in open_survey.client.get("/panel/code").text
    opens_again(open_survey)


def test_replicate_weights_give_the_standard_errors(open_survey, tmp_path):
    asked = {
        "level1_weight": "w", "replicates": "rep1-rep4", "replicate_method": "fay", "fay": "0.5",
        "algorithm": "exact",
    }  # fmt: skip
    assert "Taken." in post(open_survey, **asked)
    found = ran(open_survey)
    assert found == saved(open_survey, tmp_path)
    assert found["sampling_variance"]
    assert f"{found['fixed_replicates']['g00']['se']:.6f}" in script_says(open_survey, tmp_path)
    opens_again(open_survey)
    post(open_survey, plausible="pv2, pv3", sampling_from="first", **asked)
    assert ran(open_survey) == saved(open_survey, tmp_path)
    assert "sampling_from='first'" in open_survey.client.get("/save/model.py").text
    assert "Not done:" in post(open_survey, **asked | {"replicates": "nope1-nope4"})
    assert "Fay" in post(open_survey, **asked | {"fay": "2"})


def test_imputed_data_in_files(open_survey, tmp_path):
    open_survey.edit("none", "x")
    others = [(f"imputed{k}.csv", survey(k)) for k in (1, 2)]
    page = open_survey.client.post("/imputed", files=sent(*others)).text
    assert "imputed1.csv, imputed2.csv" in page
    found = ran(open_survey)
    assert found["m"] == 3
    assert found == saved(open_survey, tmp_path, ("survey.csv", survey()), *others)
    assert f"{found['fixed']['g10']['coefficient']:.6f}" in script_says(open_survey, tmp_path)
    assert "no data file" in open_survey.client.post("/imputed", files=sent(("a.exe", b"x"))).text
    assert "of pooled data sets" in open_survey.client.post("/posterior", data={}).text
    post(open_survey)
    assert open_survey.session.state.beside.imputed == ()


def test_imputed_data_in_one_file(window, tmp_path):
    rows = survey(0) + b"".join(survey(k).partition(b"\n")[2] for k in (1, 2))
    window.client.post("/open", files=sent(("all.csv", rows)))
    window.edit("outcome", "pv1")
    window.edit("none", "x")
    assert "Taken." in post(window, imputed_by="m")
    found = ran(window)
    assert found["m"] == 3
    assert found == saved(window, tmp_path, ("all.csv", rows))
    opens_again(window)


def test_outcomes_that_are_not_normal_are_pooled(window, tmp_path):
    names, _, rows = survey(0).partition(b"\n")
    lines = [line.split(b",") for k in range(3) for line in survey(k).partition(b"\n")[2].splitlines()]
    rows = b"\n".join(b",".join([*line, b"1" if float(line[1]) > 0 else b"0"]) for line in lines)
    content = names + b",passed\n" + rows + b"\n"
    window.client.post("/open", files=sent(("all.csv", content)))
    window.edit("outcome", "passed")
    window.edit("none", "x")
    assert "Taken." in post(window, imputed_by="m", family="bernoulli", algorithm="exact")
    found = ran(window)
    assert found["distribution"]["family"] == "bernoulli"
    assert found["m"] == 3
    assert found == saved(window, tmp_path, ("all.csv", content))
    assert f"{found['fixed']['g10']['coefficient']:.6f}" in script_says(window, tmp_path)
    for panel in ("figures", "report", "listing", "compare"):
        assert window.client.get(f"/results/1/{panel}").status_code == 200
    post(window, imputed_by="m", family="bernoulli", algorithm="hlm")
    assert "are pooled by the likelihood: choose" in window.client.post("/run").text


def test_a_hypothesis_is_taken_out(model4):
    model4.client.post("/run")
    model4.client.post("/results/1/test", data={"what": "hypothesis", "c1-g01": "1", "keep": "on"})
    assert "test the hypothesis of the grid" in model4.client.get("/panel/settings").text
    post(model4, hypotheses="on")
    assert len(model4.session.state.options.hypotheses) == 1
    post(model4)
    assert model4.session.state.options.hypotheses == ()


def test_every_setting_comes_back_from_text_and_script(model4):
    form = {
        "title": "It's \"mine\"", "method": "ML", "max_iterations": "500", "keep_going": "on",
        "homogeneity": "on", "full_output": "on", "constraints": "g02 = g12", "deviance": "46512.5",
        "df": "4", "residuals2": "on", "extra2": "size, pracad", "level2_weight": "size",
    }  # fmt: skip
    assert "Taken." in post(model4, **form)
    model4.client.post("/run")
    opens_again(model4)


def test_a_script_that_is_not_the_windows_is_refused_and_not_run(hsb, tmp_path):
    there = tmp_path / "there"
    script = f"open({str(there)!r}, 'w').write('x')\n"
    answer = hsb.client.post("/open", files=sent(("a.py", script.encode()))).text
    assert "as the scripts that this window saves have" in answer
    assert not there.exists()
