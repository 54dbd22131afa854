"""The page: well-formed, self-contained, tables that are tables, and every number of the listing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from hlmbayes.report.html import fragment, page
from hlmbayes.report.symbols import symbol_html
from hlmbayes.report.tables import ChiSquare, NoteGroup, Tables
from hlmbayes.report.text import hlm_part
from tests.report.test_json_text import ALL
from tests.report.test_text import full, optimum

Printed = Callable[[str], Tables]
MODEL4 = "model4_intercepts_slopes"
VOID = {"meta", "br", "link", "img", "input", "hr"}


class Reader(HTMLParser):
    """Checks nesting and collects the tables: caption, header cells, rows of cells."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[tuple[str, list[list[str]]]] = []
        self.text: list[str] = []
        self.caption = ""
        self.rows: list[list[str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.append((tag, dict(attrs)))
        if tag in VOID:
            return
        self.open.append(tag)
        if tag == "table":
            self.caption, self.rows = "", []
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another element"
        if tag == "table":
            self.tables.append((self.caption, self.rows))

    def handle_data(self, data: str) -> None:
        if "pre" in self.open or "style" in self.open:
            return
        self.text.append(data)
        if "caption" in self.open:
            self.caption += data
        elif {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert not reader.open
    return reader


@pytest.mark.parametrize("name", ALL)
def test_every_number_of_the_listing_is_in_a_table_or_a_definition(printed: Printed, name: str) -> None:
    tables = printed(name)
    reader = read(page(tables))
    number = re.compile(r"-?\d+\.\d{3,}(?:E[+-]\d+)?")
    shown = set(number.findall(" ".join(reader.text).replace("\N{MINUS SIGN}", "-")))
    results = "\n".join(hlm_part(tables)).split("ITERATION")[1].split("Level-1 OLS")[0]
    if tables.header.random[1:] == ():  # the page leaves out a correlation of one effect with itself
        results = results.replace(" 1.000\n", "\n")
    loglik = next(n for n in number.findall(results) if "E+" in n)
    assert f"{tables.loglik:.4f}" in shown  # on the page without an exponent
    assert float(loglik) == pytest.approx(tables.loglik, rel=1e-6)
    numbers = number.findall(results.replace(loglik, ""))
    assert len(numbers) > 10
    assert [n for n in numbers if n not in shown] == []


@pytest.mark.parametrize("name", ALL)
def test_tables_have_captions_headers_and_rows_of_one_width(printed: Printed, name: str) -> None:
    reader = read(page(full(printed(name))) if name == MODEL4 else page(printed(name)))
    assert len(reader.tables) >= 4
    for caption, rows in reader.tables:
        assert caption
        assert len({len(row) for row in rows if len(row) > 1}) == 1, caption
    cells = [attributes for tag, attributes in reader.attributes if tag == "th"]
    assert all(attributes.get("scope") in ("col", "row", "rowgroup") for attributes in cells)


def test_the_page_needs_nothing_from_elsewhere(printed: Printed) -> None:
    html = page(printed(MODEL4))
    assert html.startswith("<!DOCTYPE html>")
    assert '<html lang="en">' in html
    assert not re.search(r"https?://|src=|href=|@import|url\(", html)
    assert "<script" not in html


def test_headings_go_down_one_level_at_a_time(printed: Printed) -> None:
    groups = (NoteGroup("Not converged", ("Stopped.",), warning=True), NoteGroup("Data", ("7185 rows.",)))
    tags = [tag for tag, _ in read(page(replace(printed(MODEL4), notes=groups))).attributes]
    levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1


def test_text_of_users_is_escaped(printed: Printed) -> None:
    tables = printed("model1_unconditional")
    header = replace(tables.header, outcome="a<b>&c", title="x</title><script>", command_file='"q".hlm')
    html = page(replace(tables, header=header, notes=(NoteGroup("<h>", ("1 < 2 & 3",)),)))
    read(html)
    assert "<script>" not in html
    assert "a&lt;b&gt;&amp;c" in html
    assert "1 &lt; 2 &amp; 3" in html


def test_warnings_stand_before_the_results(printed: Printed) -> None:
    group = NoteGroup("Not converged", ("Stopped at 100.",), warning=True)
    html = page(replace(printed(MODEL4), notes=(group,)))
    assert html.index("Stopped at 100.") < html.index("<h2>Specification</h2>")
    assert 'class="warning"' in html


def test_the_notebooks_fragment_is_the_page_without_its_frame(printed: Printed) -> None:
    part = fragment(printed(MODEL4))
    read(part)
    assert part.startswith('<div class="hlmbayes">')
    assert "<html" not in part
    assert "color-scheme" not in part  # a notebook has its own light and dark
    assert part.removeprefix("<div").removesuffix("</div>") in page(printed(MODEL4))


def test_every_style_rule_is_confined_to_the_report(printed: Printed) -> None:
    style = re.search(r"<style>(.*?)</style>", fragment(printed(MODEL4)), re.DOTALL)
    assert style is not None
    selectors = re.findall(r"([^{}]+)\{", style[1])
    outside = [
        one
        for selector in selectors
        for one in selector.split(",")
        if one.strip() and not one.strip().startswith((".hlmbayes", "@media"))
    ]
    assert outside == []


def test_full_output_tests_and_optimum_are_on_the_page(printed: Printed) -> None:
    tables = full(printed(MODEL4))
    test = ChiSquare(1.0771, 2, 0.58, ">.500")
    tables = replace(tables, optimum=optimum(0.049403), comparison=test, hypotheses=tables.hypotheses * 2)
    captions = [caption for caption, _ in read(page(tables)).tables]
    for caption in (
        "Least-squares estimates of fixed effects",
        "Tau(0) before repair",
        "Iterations",
        "Variance-covariance components test",
        "General linear hypothesis 2",
        "Test of homogeneity of level-1 variance",
        "HLM’s answer and the optimum",
    ):
        assert caption in captions


def test_full_output_without_its_parts(printed: Printed) -> None:
    html = page(replace(printed(MODEL4), full_output=True))
    assert "Before the iterations" in html
    read(html)


def test_a_model_without_random_or_fixed_effects(printed: Printed) -> None:
    tables = printed("model1_unconditional")
    header = replace(
        tables.header, coefficients=tuple(c._replace(random=False) for c in tables.header.coefficients)
    )
    empty = replace(tables, header=header, fixed=(), fixed_robust=(), tau=(), variance_components=())
    reader = read(page(empty))
    assert "The model has no fixed effects." in reader.text
    assert [caption for caption, _ in reader.tables if "Tau" in caption] == []


def test_title_names_the_run(printed: Printed) -> None:
    tables = printed(MODEL4)
    assert "<title>Two-level model of MATHACH</title>" in page(tables)
    titled = replace(tables, header=replace(tables.header, title="HSB run"))
    assert "<title>HSB run: two-level model of MATHACH</title>" in page(titled)


def test_symbols() -> None:
    assert symbol_html("G01") == "<i>γ</i><sub>01</sub>"
    assert symbol_html("R", "ij") == "<i>r</i><sub>ij</sub>"
    assert symbol_html("R") == "<i>r</i>"
