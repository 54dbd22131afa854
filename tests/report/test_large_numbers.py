"""Salaries, reaction times, years: every digit is printed, and columns stay columns."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from hlmbayes import Fit, Model, datasets, read
from hlmbayes.faces import record_of
from hlmbayes.report import listing, to_html

# pay of 14 firms, self-made; standard errors, sigma2 and tau by lme4 1.1 (robust: clubSandwich CR0)
SE, ROBUST = (1650.7697, 2000.6192, 954.3605), (1495.4047, 1638.9316, 909.9952)
SIGMA2, TAU = 53479648.45, (30645566.71, -4324522.58, 4147348.98)
LME4 = 2e-7  # what its search leaves
PAY = """
    pay = b0 + b1*x + r
    b0 = g00 + g01*w + u0
    b1 = g10 + u1
"""


def pay() -> dict[str, list[float]]:
    rng = np.random.default_rng(11)
    rows = []
    for j in range(1, 15):
        w, u, s = round(rng.normal(), 2), rng.normal(0, 6000), rng.normal(0, 2000)
        for _ in range(rng.integers(5, 12)):
            x = round(rng.normal(), 2)
            y = round(52000 + 8000 * w + u + (4000 + s) * x + rng.normal(0, 8000), 2)
            rows.append((j, w, x, y))
    return dict(zip(("id", "w", "x", "pay"), map(list, zip(*rows, strict=True)), strict=True))


@cache
def fitted(algorithm: str) -> Fit:
    return Model(PAY).fit(read(pay()), algorithm=algorithm)


def table(text: str, heading: str) -> list[str]:
    """Give the lines of a table, rules included."""
    lines = text.splitlines()
    at = lines.index(heading)
    rules = [k for k, line in enumerate(lines) if k > at and line.startswith(" ---")]
    return lines[rules[0] : rules[2] + 1]


def numbers(line: str) -> list[float]:
    return [float(cell) for cell in line.split(", ")[1].split()[1:]]


def test_standard_errors_and_variances_are_printed_with_all_their_digits() -> None:
    text = listing(record_of(fitted("exact")))
    fixed = [line for line in table(text, " Final estimation of fixed effects:") if ", G" in line]
    robust = [line for line in table(text, " (with robust standard errors)") if ", G" in line]
    assert [numbers(line)[1] for line in fixed] == pytest.approx(SE, rel=LME4)
    assert [numbers(line)[1] for line in robust] == pytest.approx(ROBUST, rel=LME4)
    for line in (*fixed, *robust):  # a reader can check the t-ratio
        estimate, se, t, *_ = numbers(line)
        assert estimate / se == pytest.approx(t, abs=6e-4)
    components = table(text, " Final estimation of variance components:")
    variances = [float(line.split(" U")[1].split()[2]) for line in components if " U" in line[:22]]
    assert variances == pytest.approx([TAU[0], TAU[2]], rel=1e-6)
    sigma2 = next(line for line in text.splitlines() if line.startswith(" Sigma_squared ="))
    assert float(sigma2.split()[-1]) == pytest.approx(SIGMA2, rel=LME4)
    taus = [line for line in text.splitlines() if ",B0 " in line or ",B1 " in line][:2]
    assert [float(v) for line in taus for v in line.split()[1:]] == pytest.approx(
        [TAU[0], TAU[1], TAU[1], TAU[2]], rel=1e-6
    )
    assert len({len(line) for line in taus}) == 1
    likelihood = next(line for line in text.splitlines() if "likelihood function" in line)
    assert "E+0" not in text.replace(likelihood, "")


@pytest.mark.parametrize("algorithm", ["exact", "hlm"])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4, 1e8])
def test_columns_hold_their_numbers_whatever_the_outcome_is_measured_in(algorithm: str, scale: float) -> None:
    rows = pay()
    rows["pay"] = [scale * value for value in rows["pay"]]
    fit = Model(PAY).fit(read(rows), algorithm=algorithm)
    text = listing(record_of(fit), full_output=True)
    headings = (" Final estimation of fixed effects:", " (with robust standard errors)")
    for heading in (*headings, " Final estimation of variance components:"):
        lines = table(text, heading)
        top, first, second, rule, *body, last = lines
        assert top == rule == last
        longest = max(map(len, body))
        assert max(len(first), len(second)) == longest
        assert len(top) in (longest, longest + 1)  # HLM's rules end with the columns, or one later
    fixed = [line for line in table(text, headings[0]) if ", G" in line]
    frame = fit.fixed_effects()
    assert [numbers(line)[0] for line in fixed] == pytest.approx(
        list(frame["coefficient"]), rel=1e-9, abs=6e-7
    )
    assert [numbers(line)[1] for line in fixed] == pytest.approx(list(frame["se"]), rel=1e-9, abs=6e-7)


def test_the_page_has_them_too() -> None:
    page = to_html(record_of(fitted("exact")))
    assert ">1650.76982<" in page or ">1650.769818<" in page
    assert ">53479648.45319<" in page


def test_the_optimum_is_said_to_be_reached_only_where_the_table_below_agrees() -> None:
    model = Model("mathach = b0 + b1*group(ses) + r\nb0 = g00 + g01*meanses + u0\nb1 = g10")
    fit = model.fit(datasets.hsb(), method="ML", algorithm="hlm")
    text = " ".join(listing(record_of(fit)).split())
    assert "reached the ML optimum" not in text
    assert (
        "The deviance is within 0.000005 of the ML optimum's, but the iterations stopped a little before it: "
        "Sigma_squared, Tau INTRCPT1 still differ in the digits below" in text
    )
