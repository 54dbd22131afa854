"""A posterior's text and page: every number there is, blanks for those there are not, the verdict first."""

from __future__ import annotations

import re
from html import escape

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.faces import record_of
from hlmbayes.notebook import true_minus
from hlmbayes.posterior.summaries import summary
from hlmbayes.report.posterior_report import as_text, page
from tests.posterior.test_multinomial_posterior import FRAME, PRIORS, TEXT


@pytest.fixture(scope="module")
def boundary():
    """A fit and a posterior of data with less variation between units than chance gives: tau is zero."""
    rng = np.random.default_rng(3)
    unit = np.repeat(np.arange(12), 8)
    y = 1500.0 + np.tile(np.linspace(-1, 1, 8), 12) + 0.1 * rng.normal(size=96)
    data = hlm.read({"id": unit, "y": y}, id="id")
    model = hlm.Model("y = b0 + r\nb0 = g00 + u0")
    return record_of(model.sample(data, seed=1, draws=200, chains=1)), record_of(model.fit(data))


def test_numbers_that_do_not_exist_are_left_out(boundary):
    """No R-hat of one chain, no standard error of REML on the boundary: a blank, never nan."""
    text = as_text(*boundary)
    assert "nan" not in text.lower()
    row, *_ = re.findall(r"^tau\[b0,b0\].*", text.split("Beside restricted")[1], re.MULTILINE)
    assert row.split()[1:3] == ["tau[intercept,intercept]", "0.000"]
    post, fit = boundary
    html = page(post, fit, {})
    assert "nan" not in re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL).lower()
    assert re.search(r"^g00 +intercept +1500\.\d\d +1500\.\d\d ", text, re.MULTILINE)


def test_the_page_has_tables_a_verdict_and_a_text_for_every_figure(boundary):
    post, fit = boundary
    html = page(post, fit, {"gamma_forest": b"png", "caterpillar_b1": b"png"})
    assert html.count("<caption>") == 2
    assert "Random effects u1 of the units" in html
    assert escape(true_minus(str(post.convergence))) in html
    table = summary(post)
    assert f">{float(table['mean']['sigma']):#.4g}<" in html
    assert all(f">{name}<" in html for name in map(escape, table.index))
    assert "intercept<br><small>g00</small>" in html


def test_the_page_of_categories_has_their_equations_once():
    data, model = hlm.read(FRAME, id="id"), hlm.Model(TEXT)
    sampled, fit = model.sample(data, draws=250, chains=2, seed=1, priors=PRIORS), model.fit(data)
    post, shown = record_of(sampled), sampled._repr_html_()  # the second is what a notebook shows
    assert shown.count("<table") == 1
    assert "<!DOCTYPE" not in shown
    html = page(post, record_of(fit), {"predicted_x": b"png", "caterpillar_b0[2]": b"png"})
    assert html.count("<mfrac>") == 2  # the model's left side, level by level and in one equation
    assert html.count("<caption>") == 2
    assert "Posterior and ML<" in html
    assert f">{fit.gamma['g10[2]']:#.4g}<" in true_ascii(html)
    assert all(
        said in html for said in ("What the model predicts over x", "Random effects u0[2] of the units")
    )
    text = as_text(post, record_of(fit))
    assert "Beside maximum likelihood" in text
    assert "REML" not in text


def true_ascii(html: str) -> str:
    return html.replace("\N{MINUS SIGN}", "-")


def test_a_notebook_shows_the_verdict_and_the_summary(boundary):
    post, _ = boundary
    shown = hlm.Posterior(post)._repr_html_()
    assert escape(true_minus(str(post.convergence))) in shown
    assert shown.count("<table") == 1
    assert "nan" not in re.sub("<style>.*</style>", "", shown, flags=re.DOTALL).lower()
    assert "<!DOCTYPE" not in shown
