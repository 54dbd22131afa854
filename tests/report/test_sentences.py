"""Sentences on effects: every difference they tell is that of two predictions, whatever the model."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hlmbayes as hlm
from hlmbayes.faces import record_of
from hlmbayes.report.sentences import Difference, Told, amount, change, figures, sentences
from tests.report.read_sentences import NUMBER, Reader, number

MINUS = "\N{MINUS SIGN}"


def frame(seed: int, sign: float) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(12), 9)
    kind = np.array(["a", "b", "c"])[unit % 3]
    w, d, x = rng.normal(size=12)[unit], (np.arange(12) % 2 + 1)[unit], 2.0 + rng.normal(size=108)
    f = rng.integers(0, 2, 108)
    y = 3 + sign * (0.8 * x * d - 0.5 * w * x + 0.4 * x**2 + f + (kind == "b"))
    y += rng.normal(size=12)[unit] + rng.normal(size=108)
    v = rng.beta(5.0, 1.0, 108)  # its mean is nearer to its end than one unit, where a spline has its knots
    columns = {"id": unit, "kind": kind, "w": w, "d": d, "x": x, "f": f, "v": v, "y": y}
    return pd.DataFrame(columns)


LEVEL1 = ["x", "group(x)", "grand(x)"]
LEVEL2 = [
    "",
    " + g{0}1*w",
    " + g{0}1*grand(w)",
    " + g{0}1*d",
    " + g{0}1*C(kind)",
    " + g{0}1*C(kind, sum) + g{0}2*d",
]


def predicted(fit: hlm.Fit, at: dict) -> float:
    """Predict by the fit's own method, of a unit with rows on both sides of its mean if x is centred."""
    centred = fit.model.coefficients[1].predictor.centering == "group"
    x = [at["x"], -at["x"]] if centred else [at["x"]] * 2
    rows = pd.DataFrame(
        {name: [at.get(name, 0)] * 2 for name in ("kind", "w", "d", "f", "v")} | {"x": x, "id": 99}
    )
    rows["kind"] = at.get("kind", "a")
    return float(fit.predict(rows, level=2)["predicted"].iloc[0])


MODELS = given(
    st.integers(0, 50), st.sampled_from([1.0, -1.0]), st.sampled_from(LEVEL1), st.sampled_from(LEVEL2),
    st.sampled_from(LEVEL2), st.sampled_from(["", "f", "C(f)", "f*x", "x^2", "bs(v, 4)"]),
)  # fmt: skip


@settings(max_examples=6)
@MODELS
def test_every_difference_is_that_of_two_predictions(seed, sign, x, first, second, more):
    check_model(seed, sign, x, first, second, more)


@pytest.mark.slow
@settings(max_examples=150)
@MODELS
def test_every_difference_is_that_of_two_predictions_in_many_models(seed, sign, x, first, second, more):
    check_model(seed, sign, x, first, second, more)


def check_model(seed, sign, x, first, second, more):
    if x == "group(x)" and "x" in more:
        more = ""
    level1 = f" + b2*{more}" if more else ""
    text = f"y = b0 + b1*{x}{level1} + r\nb0 = g00{first.format(0)} + u0\nb1 = g10{second.format(1)}"
    fit = hlm.Model(text + ("\nb2 = g20" if more else "")).fit(frame(seed, sign), id="id")
    found = sentences(record_of(fit))
    assert {told.variable for told in found} >= {"", "x"}
    for told in found:
        for d in told.differences:
            low = predicted(fit, dict(d.start)) if d.start else 0.0
            assert d.estimate == pytest.approx(predicted(fit, dict(d.to)) - low, rel=1e-8, abs=1e-9)
        if told.variable:
            check_words(told)
    read_all(fit, found, frame(seed, sign), seed)


def read_all(fit: hlm.Fit, found: Sequence[Told], rows: pd.DataFrame, seed: int) -> None:
    """Read every sentence by its words alone."""
    centred = fit.model.coefficients[1].predictor.centering == "group"
    deviations = frozenset({"x"}) if centred else frozenset()
    reader = Reader(rows, deviations, lambda at: predicted(fit, dict(at)), np.random.default_rng(seed))
    said = re.match(rf"The expected y is ({NUMBER})(?: with (.*?))? \(95 % interval", found[0].sentence)
    assert said is not None
    places = reader.places(said[2])
    assert number(said[1]) == pytest.approx(predicted(fit, reader.anywhere(set(places)) | places), rel=6e-3)
    for told in found[1:]:
        reader.read(told.sentence)


def check_words(told: Told) -> None:
    """Hold every "2.94 higher" of a sentence against its difference, in order."""
    said = re.findall(r"([\d.e+-]+) (higher|lower)|(no higher and no lower)", told.sentence)
    first = told.differences[0]
    assert said
    assert len(said) <= len(told.differences)
    for (size, way, _), d in zip(said, told.differences, strict=False):
        if not way:
            assert abs(d.estimate) < 1e-12
            continue
        assert way == ("higher" if d.estimate > 0 else "lower")
        assert float(size) == pytest.approx(abs(d.estimate), rel=6e-3)
    for d in told.differences[1:]:
        if first.estimate > 0 and d.estimate > 0 and figures(d.estimate - first.estimate):
            assert f"{'more' if d.estimate > first.estimate else 'less'}" in told.sentence
    straddles = first.low < 0 < first.high
    assert ("leaves the direction open" in told.sentence) == straddles


def test_high_school_and_beyond():
    model = hlm.Model(
        "mathach = b0 + b1*group(ses) + r\nb0 = g00 + g01*sector + g02*meanses + u0\n"
        "b1 = g10 + g11*sector + g12*meanses + u1"
    )
    intercept, ses, sector, meanses = sentences(record_of(model.fit(hlm.datasets.hsb())))
    assert intercept.sentence.startswith(
        "The expected Mathematics achievement (mathach) is 12.1 with ses at the"
    )
    assert "counted from the unit's mean, goes with" in ses.sentence
    assert "2.95 higher with sector = public" in ses.sentence
    assert "with sector = Catholic it is 1.30 higher, which is 1.64 less" in ses.sentence
    assert "sector = Catholic, compared with sector = public, goes with" in sector.sentence
    assert sector.differences[0].estimate == pytest.approx(1.2264530691975561)
    assert "5.33 higher with ses at the unit's mean" in meanses.sentence


def test_words_of_numbers():
    of = Difference({}, {}, -1.234, -2.0, -1.0, 0.01)
    assert amount(of) == "1.23 lower"
    assert amount(of._replace(estimate=0.0)) == "no higher and no lower"
    assert change(2.0, 1.0) == ", which is 1.00 less"
    assert change(-2.0, -3.0) == f", a change of {MINUS}1.00"
    assert change(-2.0, 1.0) == ", a change of +3.00"
    assert figures(1234.5) == "1234"
    assert figures(0.00123) == "0.00123"


def test_a_spline_is_told_within_its_knots():
    rng = np.random.default_rng(1)
    unit = np.repeat(np.arange(20), 12)
    x, w = rng.beta(5, 1, 240), rng.normal(size=20)[unit]
    rows = pd.DataFrame({"id": unit, "x": x, "w": w, "y": np.sin(3 * x) + w + rng.normal(size=240)})
    fit = hlm.Model("y = b0 + b1*bs(x, 4) + r\nb0 = g00 + g01*w + u0\nb1 = g10 + g11*w").fit(rows, id="id")
    (_, of_x, of_w) = sentences(record_of(fit))
    assert (of_x.variable, of_w.variable) == ("x", "w")
    assert "The effect is no straight line" in of_x.sentence
    assert of_x.differences[0].to["x"] <= x.max() < x.mean() + x.std(ddof=1) + 0.2
    for told in (of_x, of_w):
        first = told.differences[0]
        assert first.estimate == pytest.approx(
            predicted(fit, first.to) - predicted(fit, first.start), rel=1e-8
        )
    slopes = fit.slopes("w", by="x")
    assert slopes.frame()["x"].between(x.min(), x.max()).all()


def told_of(rows: pd.DataFrame, text: str) -> dict[str, str]:
    return {told.variable: told.sentence for told in sentences(record_of(hlm.Model(text).fit(rows, id="id")))}


def test_an_effect_of_rounding_is_none():
    rows = frame(1, 1.0)
    found = told_of(rows, "y = b0 + b1*grand(x) + r\nb0 = g00 + u0\nb1 = g10 + g11*w")
    assert found["w"].endswith("no higher and no lower with x at its mean (1.92).")


@pytest.mark.parametrize(("one", "other"), [("x", "grand(x)"), ("x", "(x - 2000)"), ("C(f)", "f")])
def test_centring_and_coding_change_no_sentence(one, other):
    rows = frame(3, 1.0)
    text = "y = b0 + b1*{} + b2*f*x + r\nb0 = g00 + g01*C(kind) + u0\nb1 = g10 + g11*C(kind)\nb2 = g20"
    if "f" in one:
        text = text.replace("f*x", "x")
    found, again = (told_of(rows, text.format(term)) for term in (one, other))
    assert found == again
    assert found == told_of(rows, text.format(one).replace("C(kind)", "C(kind, sum)"))


def test_an_outcome_with_the_other_sign_turns_every_sentence():
    rows = frame(2, 1.0)
    turned = rows.assign(y=-rows["y"])
    text = "y = b0 + b1*group(x) + r\nb0 = g00 + g01*C(kind) + g02*w + u0\nb1 = g10 + g11*w"
    found, again = told_of(rows, text), told_of(turned, text)
    swap = {"higher": "lower", "lower": "higher"}
    for name, sentence in found.items():
        head, other = (re.split(r" \(95 %|;", s)[0] for s in (sentence, again[name]))
        if name:
            assert re.sub("higher|lower", lambda m: swap[m.group()], head) == other
        else:
            assert head.replace("is ", f"is {MINUS}") == other


LIES = [
    (r"(\d) higher", r"\1 lower"), (r"(\d) lower", r"\1 higher"), (r"that is (\d)", r"that is 1\1"),
    (r"which is (\S+) less", r"which is \1 more"), (r" with w at its mean \([^)]*\)", ""),
]  # fmt: skip


@pytest.mark.parametrize(("words", "false"), LIES)
def test_the_reader_finds_a_false_sentence(words, false):
    rows = frame(1, 1.0)
    fit = hlm.Model("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10 + g11*w").fit(rows, id="id")
    reader = Reader(rows, frozenset(), lambda at: predicted(fit, dict(at)), np.random.default_rng(1))
    sentence = told_of(rows, "y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10 + g11*w")["x"]
    lie = re.sub(words, false, sentence, count=1)
    reader.read(sentence)
    if lie != sentence:
        with pytest.raises((AssertionError, KeyError)):
            reader.read(lie)
