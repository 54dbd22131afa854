"""Notes and errors in the window name what is on the page, and no option of the command line."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

import hlmbayes
from hlmbayes.app.page_words import WORDS, in_page_words

from .test_server import files, text_of_data

OPTION = re.compile(r"--[a-z]")


def test_what_to_do_about_a_run_is_on_the_page(model4):
    model4.client.post("/settings", data={"method": "REML", "algorithm": "hlm", "max_iterations": "1"})
    model4.client.post("/run")
    shown = model4.session.find(model4.session.shown).fragment
    assert "“Iterations at most” in Settings" in shown
    assert "The algorithm “The optimum” in Settings prints all of it" in shown
    assert not OPTION.findall(re.sub("<[^>]*>", "", shown))


def test_what_to_do_about_data_is_on_the_page(hsb):
    header, *rows = text_of_data().decode().split("\n")
    rows[7] = re.sub(r",[^,]*", ",unknown", rows[7], count=1)  # of y
    sent = files(("new.csv", "\n".join([header, *rows]).encode()))
    hsb.client.post("/open", files=sent)
    equations = {"text": "y = b0 + r\nb0 = g00 + u0"}
    said = html.unescape(hsb.client.post("/text", data=equations).text + hsb.client.post("/run").text)
    assert "“Missing codes” in Data" in said
    assert "--missing" not in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("add --algorithm exact", "choose the algorithm “The optimum” in Settings"),
        ("HLM 6.08 may stop earlier: --algorithm hlm follows it.",
         "HLM 6.08 may stop earlier: the algorithm “HLM 6” in Settings follows it."),
        ('say missing=[-99, -9] (--missing -99,-9), or by variable, missing={"x": [-9]} (--missing x=-9)',
         "write -99,-9 at “Missing codes” in Data, or by variable, x=-9"),
        ('or say level2_missing="drop" (--drop-incomplete), which leaves them out',
         "or choose “are left out” at “Units without a level-2 value” in Data, which leaves them out"),
        ('by --algorithm exact, in Python algorithm="exact".', "by the algorithm “The optimum” in Settings."),
        ("use algorithm=&quot;hlm&quot;, or", "use the algorithm “HLM 6” in Settings, or"),
        ("both. --algorithm exact prints all of it",
         "both. The algorithm “The optimum” in Settings prints all of it"),
        ("neither a.mdm nor a.mdmt is in /t/x-y; put one there, or "
         "say where the data are: --level1 FILE --level2 FILE --id NAME",
         "neither a.mdm nor a.mdmt was opened with it; open it with its data files"),
        ("a -- b, --html and (x --y)", "a -- b, --html and (x --y)"),
    ],
)  # fmt: skip
def test_options_that_the_page_has_are_called_as_there(text, words):
    assert in_page_words(text) == words


def test_each_of_the_words_is_of_a_text_of_the_program():
    folder = Path(hlmbayes.__file__).parent
    texts = [p.read_text() for p in folder.rglob("*.py") if p.name != "page_words.py"]
    whole = re.sub(r"[\"']\n\s*f?[\"']", "", "\n".join(texts))
    for filled_in in ("{first}={own}", "{', '.join(shown)}", "{','.join(shown)}"):
        whole = whole.replace(filled_in, "1")
    whole = whole.replace("{{", "{").replace("}}", "}")
    assert [option for option in WORDS if not re.search(option, whole)] == []
