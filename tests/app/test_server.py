"""The window's pages and who may see them, without a browser."""

from __future__ import annotations

import html
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.cli import main
from hlmbayes.datasets import hsb_paths
from tests.workbook import book

pytest.importorskip("starlette")
from hlmbayes.app.files import upload_name
from hlmbayes.app.guard import MOST_BYTES


def files(*contents: tuple[str, bytes]) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", content) for content in contents]


def text_of_data(name: str = "ses") -> bytes:
    rng = np.random.default_rng(1)
    rows = [f"{j},{rng.normal():.4f},{rng.normal():.4f},{j % 2}" for j in range(1, 21) for _ in range(8)]
    return f"school,y,{name},w\n".encode() + "\n".join(rows).encode()


# ----------------------------------------------------------------------------- who may ask


def test_nobody_comes_in_without_the_secret(window):
    window.client.cookies.clear()
    for path in ("/", "/?token=wrong", "/static/app.js", "/save/model.hlm", "/results/1"):
        answer = window.client.get(path)
        assert answer.status_code == 403
        assert "token" in answer.text
    assert window.client.post("/example").status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1:81"},
        {"Host": "evil.example:80"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:81"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_other_hosts_and_origins_are_refused(window, headers):
    assert window.client.post("/example", headers=headers).status_code == 403
    assert window.session.opened is None


def test_every_answer_says_that_nothing_comes_from_elsewhere(window):
    for path in ("/", "/static/app.css", "/nothing"):
        answer = window.client.get(path)
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    cookie = window.page.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "http://" not in window.page.text.replace("http://www.w3.org", "")
    assert "https://" not in window.page.text


def test_a_reload_finds_everything_and_a_second_browser_nothing(model4):
    model4.client.post("/run")
    page = model4.client.get("/").text
    assert "Results: Model 1" in page
    assert "16.067" not in page
    model4.client.cookies.clear()
    assert "Results: Model 1" not in model4.client.get("/", params={"token": model4.door.token}).text


# ----------------------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("../../etc/passwd.csv", "passwd.csv"),
        ("..\\..\\a.sav", "a.sav"),
        ("/abs/x y.csv", "x_y.csv"),
        ("..", "v.-.".replace("-.", "")),
        ("<img src=x>.csv", "v_img_src_x_.csv"),
        ("a.csv/../../b.sav", "b.sav"),
    ],
)
def test_names_of_uploads_are_their_own_and_safe(given, name):
    made = upload_name(given, [])
    assert "/" not in made
    assert "\\" not in made
    assert not made.startswith(".")
    if given != "..":
        assert made == name


def test_one_file_with_both_levels(window):
    answer = window.client.post("/open", files=files(("data.csv", text_of_data())))
    assert 'data-name="ses"' in answer.text
    assert window.session.opened.level1 == ("y", "ses")
    assert window.session.opened.level2 == ("w",)


def test_two_files_in_any_order(window):
    one, two = hsb_paths()
    sent = files(("hsb2.sav", two.read_bytes()), ("hsb1.sav", one.read_bytes()))
    window.client.post("/open", files=sent)
    assert window.session.opened.data.n_rows == 7185
    assert window.session.opened.level2[:2] == ("size", "sector")


def test_the_id_is_asked_for_where_it_cannot_be_told(window):
    data = text_of_data().replace(b"school", b"where")
    answer = window.client.post("/open", files=files(("data.csv", data)))
    assert "Which variable says the unit?" in answer.text
    answer = window.client.post("/open/id", data={"id": "where"})
    assert 'data-name="ses"' in answer.text


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ((("a.csv", b""),), "0 bytes"),
        ((("a.exe", b"x"),), "no file that is read here"),
        (
            (("a.csv", b"id,y\n1,2\n1,3\n2,4\n"), ("b.csv", b"k,w\n1,2\n2,3\n")),
            "no variable of the same",
        ),
        ((("a.hlm", b"x"), ("b.hlm", b"x")), "one at a time"),
        ((("a.mdmt", b"x"),), "alone has no data"),
        ((("a.hlm", b"level1:y=INTRCPT1+RANDOM\nlevel2:INTRCPT1=INTRCPT2+RANDOM/"),), "data"),
        ((("a.sav", b"no spss"),), "a.sav"),
    ],
)
def test_what_cannot_be_opened_is_said_in_words(window, sent, words):
    answer = window.client.post("/open", files=files(*sent))
    assert answer.status_code == 200
    assert "Not done:" in answer.text
    assert words in answer.text
    assert "Traceback" not in answer.text


def test_no_file_and_a_file_too_large(window):
    assert "no file was sent" in window.client.post("/open", data={"x": "1"}).text
    answer = window.client.post("/open", content=b"", headers={"Content-Length": str(MOST_BYTES + 1)})
    assert answer.status_code == 413
    assert "hlmbayes app FILE" in answer.text


def test_nothing_in_data_is_executed(window):
    name = "<script>alert(1)</script>"
    window.client.post("/open", files=files(("<b>x</b>.csv", text_of_data(name))))
    page = window.client.get("/").text
    assert name not in page
    window.edit("outcome", "y")
    for text in (window.edit("none", name), window.client.post("/run").text, window.client.get("/").text):
        assert name not in text
    for tab in ("listing", "figures", "residuals", "tests", "compare"):
        assert name not in window.client.get(f"/results/1/{tab}").text
    settings = {"title": name, "max_iterations": "100"}
    assert name not in window.client.post("/settings", data=settings).text


# ----------------------------------------------------------------------------- the seminar


def same_but_for_rounding(found, wanted):
    """The same JSON; numbers to nine digits, for arrays that lie elsewhere are added up in another order."""
    assert type(found) is type(wanted)
    if isinstance(found, dict):
        assert list(found) == list(wanted)
        found, wanted = list(found.values()), list(wanted.values())
    if isinstance(found, list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            same_but_for_rounding(one, other)
    elif isinstance(found, float):
        assert found == pytest.approx(wanted, rel=1e-9, abs=1e-12, nan_ok=True)
    else:
        assert found == wanted


def test_the_window_has_the_numbers_of_the_command_line(model4, tmp_path):
    model4.client.post("/run")
    ours = model4.client.get("/results/1/results.json").json()
    for name in ("model.hlm", "model.mdmt"):
        answer = model4.client.get(f"/save/{name}")
        own = answer.headers["content-disposition"].split('"')[1]
        (tmp_path / own).write_bytes(answer.content)
    main(["run", str(tmp_path / "model.hlm"), "--json", str(tmp_path / "out.json"), "--output", "/dev/null"])
    same_but_for_rounding(json.loads((tmp_path / "out.json").read_text()), ours)
    assert ours["fixed"][0]["estimate"] == pytest.approx(12.096006, abs=1e-6)


def test_the_script_has_the_same_numbers(model4, tmp_path):
    model4.client.post("/run")
    listing = model4.client.get("/results/1/listing.txt").text
    script = model4.client.get("/save/model.py").text
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    wanted = [line for line in listing.splitlines() if "sector" in line.lower()]
    assert [line for line in done.stdout.splitlines() if "sector" in line.lower()] == wanted


def test_what_is_saved_opens_again(model4):
    state = model4.session.state
    for name in ("model.hlm", "model.txt"):
        saved = model4.client.get(f"/save/{name}").content
        model4.edit("null")
        answer = model4.client.post("/open", files=files((name, saved)))
        assert "Not done:" not in answer.text
        assert model4.session.state.model == state.model
        assert model4.session.state.algorithm == state.algorithm


def test_undo_goes_back_one_click(model4):
    before = model4.session.state
    model4.edit("delete", "ses")
    assert "ses" not in model4.session.state.model.equations().splitlines()[0]
    model4.client.post("/undo")
    assert model4.session.state == before


def test_clicks_and_text_are_in_step(model4):
    page = model4.client.post("/text", data={"text": "mathach = b0 + r\nb0 = g00 + g01*size + u0"}).text
    assert "g01*size" in page
    wrong = model4.client.post("/text", data={"text": "mathach = b0 +"}).text
    assert 'role="alert"' in wrong
    assert "mathach = b0 +" in wrong
    assert model4.session.state.model.level2_variables == ("size",)


def test_what_is_wrong_is_said_and_nothing_is_lost(hsb):
    assert "no outcome is chosen" in hsb.edit("none", "ses")
    assert "no column" in hsb.edit("outcome", "nonsense")
    assert "no outcome is chosen" in hsb.client.post("/run").text
    assert "not in this session" in hsb.client.get("/results/9").text


def test_settings_reach_the_estimates(model4):
    form = {
        "title": "Mine", "method": "ML", "algorithm": "exact", "max_iterations": "50", "homogeneity": "on",
        "constraints": "g02 = g12", "sigma": "",
    }  # fmt: skip
    assert "Taken." in model4.client.post("/settings", data=form).text
    run = model4.client.post("/run").text
    assert "Results: Mine" in run
    found = model4.client.get("/results/1/results.json").json()
    assert found["method"] == "ML"
    assert found["algorithm"] == "exact"
    assert "homogeneity_of_level1_variance" in found
    assert sum(row["constrained"] for row in found["fixed"]) == 1
    assert "wanted at least 1" in model4.client.post("/settings", data=form | {"max_iterations": "0"}).text
    assert "whole number" in model4.client.post("/settings", data=form | {"max_iterations": "x"}).text
    assert "no column" in model4.client.post("/settings", data=form | {"level1_weight": "nope"}).text
    sigma = form | {"sigma": "female", "constraints": "", "algorithm": "hlm", "method": "REML"}
    model4.client.post("/settings", data=sigma)
    assert "a1*female" in model4.client.get("/").text


def test_tests_figures_files_and_tables(model4):
    model4.client.post("/run")
    model4.edit("u", "u1")
    model4.client.post("/run")
    contrasts = {"what": "hypothesis", "c1-g01": "1", "c2-g11": "1", "keep": "on"}
    found = model4.client.post("/results/2/test", data=contrasts).text
    assert "2 d.f." in found
    assert model4.session.state.options.hypotheses
    for what in ("homogeneity", "icc", "r2", "plausible", "explore", "compare"):
        answer = model4.client.post("/results/1/test", data={"what": what, "other": "2"}).text
        assert "Not done:" not in answer, answer
    assert "1.07710" in model4.client.post("/results/1/test", data={"what": "compare", "other": "2"}).text
    assert "zeros" in model4.client.post("/results/1/test", data={"what": "hypothesis"}).text
    for kind in (".sav", ".csv"):
        file = model4.client.get(
            "/results/1/residual-file", params={"level": 2, "kind": kind, "extra": "size"}
        )
        assert file.status_code == 200
        assert "attachment" in file.headers["content-disposition"]
    table = model4.client.get("/results/2/compare").text
    assert "12.096" in table
    assert model4.client.get("/compare/table", params={"kind": ".xlsx"}).content[:2] == b"PK"
    assert model4.client.get("/results/1/listing").text.count("12.096006") >= 2


def test_figures_are_drawn_when_they_are_asked_for(model4):
    model4.client.post("/run")
    assert "caterpillar" in model4.client.get("/results/1/figures").text
    image = model4.client.get("/results/1/figure", params={"name": "caterpillar_b0", "kind": "svg"})
    assert image.headers["content-type"].startswith("image/svg")
    wrong = model4.client.get("/results/1/figure", params={"name": "../x"})
    assert wrong.status_code == 422
    graph = {"x": "ses", "by": "sector", "at": "meanses=0.5", "keep": "1"}
    assert model4.client.get("/results/1/figure", params=graph).content[:4] == b"\x89PNG"
    assert model4.client.get("/results/1/figure", params=graph | {"at": "x"}).status_code == 422


def test_an_mdm_and_a_command_file_beside_it_open(window, tmp_path):
    from hlmbayes.app.opening import open_named
    from hlmbayes.errors import HLMError

    (tmp_path / "data.csv").write_bytes(text_of_data().replace(b"school", b"where"))
    with pytest.raises(HLMError, match="--id NAME"):
        open_named([str(tmp_path / "data.csv")])
    opened = open_named([str(tmp_path / "data.csv")], "where")
    assert opened.level2 == ("w",)
    with pytest.raises(HLMError, match="one at a time"):
        open_named(["a.hlm", "b.hlm"])
    assert open_named([]) is None


def test_units_that_miss_a_value_and_missing_codes_are_said(window):
    text = text_of_data().replace(b",1\n", b",-99\n", 8)
    answer = window.client.post("/open", files=files(("data.csv", text))).text
    assert "-99" in answer
    answer = window.client.post("/open/id", data={"id": "school", "missing": "-99"}).text
    assert "Not done:" not in answer
    assert np.isnan(window.session.opened.data.level1["w"]).any()
    window.edit("outcome", "w")
    code = html.unescape(window.client.get("/panel/code").text)
    assert "\nmissing: -99\n" in code
    assert "--id school --missing -99\n" in code.replace("</", "\n</")  # -99 is a number there without it


def test_missing_codes_that_differ_by_level_are_kept_apart_in_what_is_saved(tmp_path):
    from hlmbayes.app.opening import Chosen, open_data
    from hlmbayes.app.script import command_line, python_script
    from hlmbayes.data.read_options import ReadOptions
    from hlmbayes.runs.jobs import job_from_equations

    one, two = tmp_path / "rows.csv", tmp_path / "units.csv"
    one.write_text(
        "id,y,x\n" + "".join(f"{j},{j * k},{-9 if k else -99}\n" for j in range(4) for k in range(3))
    )
    two.write_text("id,w\n0,-9\n1,-99\n2,1\n3,2\n")
    codes = ({"*": (-99.0,), "y": (0.0,)}, {"*": (-9.0,)})
    here = open_data(Chosen(one, two, "id", reading=ReadOptions(missing=codes)))
    job = job_from_equations("y = b0 + r; b0 = g00 + u0", level1=str(one), level2=str(two), id="id")
    said = "missing={'w': [-9.0], 'y': [0.0, -99.0], 'x': [-99.0]}"
    assert said in python_script(job, here)
    read = hlm.read(one, two, id="id", missing={"w": [-9.0], "y": [0.0, -99.0], "x": [-99.0]})
    for name in ("y", "x", "w"):
        level = "level2" if name == "w" else "level1"
        np.testing.assert_array_equal(getattr(read, level)[name], getattr(here.data, level)[name])
    assert "--missing w=-9 --missing y=0,-99 --missing x=-99" in command_line(job, here)


def test_what_parts_thousands_is_chosen_on_the_page_and_kept(window):
    rows = "\n".join(f"{k // 10};{f'{k % 7}.{100 + k}' if k % 7 else 999};{k % 5}" for k in range(200))
    sent = files(("pay.csv", f"id;pay;y\n{rows}\n".encode()))
    page = html.unescape(window.client.post("/open", files=sent).text)
    assert "choose it at “What parts thousands” in Data" in page  # 1.101 may be eleven hundred and one
    assert "--" not in page.split("numbers are read as decimals")[1].split("</p>")[0]
    asked = {"id": "id", "thousands": "."}
    assert "numbers are read" not in window.client.post("/open/id", data=asked).text
    assert window.session.opened.data.level1["pay"][:3].tolist() == [999, 1101, 2102]
    assert 'value="." selected>points' in window.client.get("/panel/data").text
    window.edit("outcome", "pay")
    code = html.unescape(window.client.get("/panel/code").text)
    assert "hlm.read('pay.csv', id='id', thousands='.')" in code
    assert "--thousands ." in code
    window.client.post("/open/id", data={"id": "id", "thousands": "blank"})
    assert window.session.opened.source.reading.thousands == " "
    assert "--thousands ' '" in html.unescape(window.client.get("/panel/code").text)


def test_plausible_values_are_pooled(window):
    rng = np.random.default_rng(2)
    rows = [f"{j},{rng.normal() + j % 3:.4f},{rng.normal() + j % 3:.4f}" for j in range(30) for _ in range(6)]
    window.client.post("/open", files=files(("pv.csv", ("school,pv1,pv2\n" + "\n".join(rows)).encode())))
    window.edit("outcome", "pv1")
    form = {"plausible": "pv1, pv2", "max_iterations": "100", "algorithm": "exact"}
    assert "Taken." in window.client.post("/settings", data=form).text
    run = window.client.post("/run").text
    assert "Results: Model 1" in run
    assert "pooled here" in window.client.get("/results/1/figures").text
    assert "pv2" in window.client.get("/results/1/listing").text
    assert "Model 1" in window.client.get("/results/1/compare").text
    assert "outcomes=['pv1', 'pv2']" in window.client.get("/panel/code").text.replace("&#39;", "'")


def test_terms_are_added_and_taken_out(model4):
    page = model4.edit("add_term", level=1, text="ses*female")
    assert "Take out ses*female (b2)" in page
    page = model4.edit("add_term", level=2, text="size^2")
    assert "Take out size^2 (g13)" in page
    model4.edit("delete_term", "g13")
    model4.edit("delete_term", "b2")
    assert model4.session.state.model.equations().count("*") == 5
    assert "has no b7" in model4.edit("delete_term", "b7")
    assert "nothing that the window does" in model4.edit("dance")


def test_the_rest_of_the_page(model4):
    assert 'aria-label="Mixed model"' in model4.client.post("/mixed").text
    assert model4.client.post("/alive").status_code == 204
    assert ".hlmbayes" in model4.client.get("/static/report.css").text
    assert "7,185 rows" in model4.client.get("/panel/data").text
    assert "REML" in model4.client.get("/panel/settings").text
    model4.client.post("/run")
    first = model4.session.state
    model4.edit("null")
    assert "u0" in model4.client.post("/take/1").text
    assert model4.session.state == first
    assert "12.096006" in model4.client.get("/results/1/report.html").text
    assert "Results: Model 1" in model4.client.get("/results/1").text
    for address in ("/results/1/nothing.txt", "/save/nothing", "/compare/table?kind=.exe"):
        assert model4.client.get(address).status_code == 422
    assert model4.client.get("/results/1/residual-file?kind=.exe").status_code == 422
    assert model4.client.get("/results/1/figure?name=caterpillar_b0&kind=exe").status_code == 422
    assert "caterpillar" in model4.client.get("/results/1/picture?name=caterpillar_b0").text
    table = model4.client.get("/compare", params={"tick": "1", "stars": "1", "robust": "CR2"}).text
    assert "12.096" in table


def test_the_script_says_what_differs(model4):
    form = {
        "method": "ML", "max_iterations": "50", "homogeneity": "on", "level1_weight": "female",
        "fix_sigma2": "", "title": "It's mine",
    }  # fmt: skip
    model4.client.post("/settings", data=form)
    model4.session.change(
        lambda s: replace(s, options=replace(s.options, hypotheses=(((0.0, 1.0, 0.0, 0.0, 0.0, 0.0),),)))
    )
    script = model4.client.get("/save/model.py").text
    for part in ("method='ML'", "max_iterations=50", "hlm.Weights(level1='female')", "{'g01': [1.0]}",
                 "fit.homogeneity()", 'title="It\'s mine"'):  # fmt: skip
        assert part in script
    assert "above 0" in model4.client.post("/settings", data=form | {"fix_sigma2": "-1"}).text
    assert "wanted a number" in model4.client.post("/settings", data=form | {"fix_sigma2": "x"}).text
    assert "both the deviance" in model4.client.post("/settings", data=form | {"deviance": "1"}).text
    resid = form | {"residuals2": "on", "extra2": "size, pracad", "apart": "on", "algorithm": "exact"}
    model4.client.post("/settings", data=resid)
    assert "resfil2:y/size,pracad" in model4.client.get("/save/model.hlm").text
    assert "--algorithm exact" in model4.client.get("/panel/code").text
    assert model4.session.state.model.blocks == (("u0",), ("u1",))


def test_a_fault_of_the_program_is_said_as_one(hsb, monkeypatch):
    def fault(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("hlmbayes.app.state.choose_outcome", fault)
    page = hsb.edit("outcome", "mathach")
    assert "an error of the program, not yours (RuntimeError: boom)" in page


def test_which_files_are_which(tmp_path):
    from hlmbayes.app.opening import choose, open_data
    from hlmbayes.errors import DataError

    rows = "\n".join(f"{j},{j * 1.5 + i},{'ab'[j % 2]}" for j in range(4) for i in range(3))
    one, two, three = (tmp_path / f"{name}.csv" for name in ("rows", "units", "other"))
    one.write_text(f"key,y,kind\n{rows}\n")
    two.write_text("key,w\n" + "\n".join(f"{j},{j}" for j in range(4)) + "\n")
    three.write_text("key,v\n" + "\n".join(f"{j},{j}" for j in range(12)) + "\n")
    found = choose([two, one])
    assert (found.level1, found.level2, found.id) == (one, two, "key")
    assert open_data(choose([one, two])).level2 == ("w",)
    alike = choose([two, three])
    assert (alike.level1, alike.id) == (three, "")
    with pytest.raises(DataError, match="one of each level; got 3"):
        choose([one, two, three])
    assert choose([one]).id == ""
    both = open_data(replace(choose([one]), id="key"))
    assert both.level2 == ("kind",)


def test_sheets_are_chosen_on_the_page_and_kept(window, tmp_path):
    file = tmp_path / "study.xlsx"
    rows = [[j, 3 * j + i + 0.5, f"{10 * i} %"] for j in range(1, 5) for i in range(4)]
    units = [[j, j**2 / 10] for j in range(1, 5)]
    about = [["About this file", ""], ["made by", "me"]]
    book(file, About=about, Pupils=[["class", "score", "share"], *rows], Units=[["class", "w"], *units])
    with file.open("rb") as sent:
        page = window.client.post("/open", files={"files": ("study.xlsx", sent)}).text
    assert "Which variable says the unit?" in page  # the first sheet has none
    assert page.count("<option>Pupils</option>") == 2
    page = window.client.post("/open/id", data={"id": "About this file", "sheet1": "Pupils"}).text
    assert "16 rows in 4 units" in page
    assert "<option selected>Pupils</option>" in page
    asked = {"id": "class", "sheet1": "Pupils", "sheet2": "Units", "percent": "on"}
    page = window.client.post("/open/id", data=asked).text
    opened = window.session.opened
    assert (opened.level1, opened.level2) == (("score", "share"), ("w",))
    assert opened.data.level1_column("share").tolist()[:4] == [0.0, 10.0, 20.0, 30.0]
    assert "<option selected>Units</option>" in page
    window.edit("outcome", "score")
    code = html.unescape(window.client.get("/panel/code").text)
    assert "id='class', percent=True, sheet=('Pupils', 'Units'))" in code
    assert "--percent --sheet Pupils --sheet Units" in code


def test_several_sheets_are_said_in_the_words_of_the_page(window, tmp_path):
    file = tmp_path / "study.xlsx"
    rows = [["class", "score"], *([j, 3.5 * j + i] for j in range(1, 5) for i in range(4))]
    book(file, Pupils=rows, More=rows)
    with file.open("rb") as sent:
        page = html.unescape(window.client.post("/open", files={"files": ("study.xlsx", sent)}).text)
    assert "the first, 'Pupils', was read: “Sheet” in Data chooses another (More)" in page
