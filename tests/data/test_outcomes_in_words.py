"""Outcomes in words: their numbers, what is said of them, or a refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import hlmbayes as hlm
from hlmbayes.data.outcomes_in_words import with_ratings
from hlmbayes.errors import DataError, HLMWarning

ORACLES = Path(__file__).parents[1] / "oracles" / "data"
WORDS = ("disagree", "neutral", "agree", "strongly agree")  # in no alphabetical order
MODEL = hlm.Model("cumlogit(y) = b0 + b1*x; b0 = g00 + g01*w + u0; b1 = g10")


def numbered() -> pd.DataFrame:
    return pd.read_csv(ORACLES / "ordinal_four.csv")


def ratings(frame: pd.DataFrame, declared=WORDS, ordered: bool = True) -> pd.DataFrame:
    words = frame["y"].map(dict(enumerate(WORDS, start=1)))
    return frame.assign(y=pd.Categorical(words, categories=list(declared), ordered=ordered))


def enum(frame: pd.DataFrame) -> pl.DataFrame:
    return pl.from_pandas(ratings(frame).astype({"y": str})).with_columns(pl.col("y").cast(pl.Enum(WORDS)))


@pytest.mark.parametrize("make", [ratings, enum, lambda frame: pa.Table.from_pandas(ratings(frame))])
def test_words_in_an_order_are_their_places_in_it(make) -> None:
    data = with_ratings(hlm.read(make(numbered()), id="id"), "Y")
    np.testing.assert_array_equal(data.level1_column("y"), numbered()["y"])
    assert data.value_labels["y"] == dict(enumerate(WORDS, start=1))
    said = (
        "y is taken in the order of its categories, lowest first: 1 disagree, 2 neutral, 3 agree, 4 strongly"
    )
    assert data.notes[-1].startswith(said)


def test_the_fit_is_that_of_the_numbers_and_categories_go_by_their_words() -> None:
    frame = numbered().astype({"y": float})
    frame.loc[5:9, "y"] = np.nan
    fit, numbers = MODEL.fit(ratings(frame), id="id"), MODEL.fit(frame, id="id")
    assert fit.deviance == numbers.deviance
    assert str(fit.means("x", values=[0, 1], category="Strongly agree")) == str(
        numbers.means("x", values=[0, 1], category=4)
    )
    with pytest.raises(hlm.HLMError, match=r"one of 1, 2, 3, 4; got 'never'"):
        fit.means("x", category="never")


def test_a_category_that_nobody_chose_keeps_its_place() -> None:
    declared = ("disagree", "never chosen", *WORDS[1:])
    data = with_ratings(hlm.read(ratings(numbered(), declared), id="id"), "y")
    np.testing.assert_array_equal(np.unique(data.level1_column("y")), [1, 3, 4, 5])


def test_numbers_in_another_order_than_theirs_are_taken_in_the_order_declared() -> None:
    turned = pd.Categorical(5 - numbered()["y"], categories=[4, 3, 2, 1], ordered=True)
    fit = MODEL.fit(numbered().assign(y=turned), id="id")
    assert fit.deviance == MODEL.fit(numbered(), id="id").deviance
    assert "1 4, 2 3, 3 2, 4 1" in fit.data.notes[-1]


@pytest.mark.parametrize(
    "make", [lambda f: ratings(f).astype({"y": str}), lambda f: ratings(f, ordered=False)]
)
def test_words_without_an_order_are_refused_with_what_to_do(make) -> None:
    with pytest.raises(DataError, match=r"not numeric: .* order of ratings .* ordered=True, Polars' Enum"):
        MODEL.fit(make(numbered()), id="id")


@pytest.mark.parametrize("ending", ["hlm", "txt"])
def test_saved_ratings_keep_their_order(ending: str, tmp_path: Path) -> None:
    MODEL.save(tmp_path / f"mine.{ending}", hlm.read(ratings(numbered()), id="id"))
    again = hlm.read(tmp_path / "mine_level1.sav", tmp_path / "mine_level2.sav", id="id")
    assert again.value_labels["y"] == dict(enumerate(WORDS, start=1))
    assert MODEL.fit(again).deviance == MODEL.fit(numbered(), id="id").deviance


def test_imputed_ratings_in_other_orders_are_warned_of() -> None:
    other = ratings(numbered(), ("neutral", "disagree", *WORDS[2:]))
    sets = [hlm.read(frame, id="id") for frame in (ratings(numbered()), other)]
    with pytest.warns(HLMWarning, match=r"y: 1.0 has the label 'disagree' in data set 1 and 'neutral' in 2"):
        hlm.fit_imputed(MODEL, sets)


def passed(words: tuple[str, ...] = ("fail", "pass"), numbers: str = "hglm_binary.csv") -> pd.DataFrame:
    frame = pd.read_csv(ORACLES / numbers)
    return frame.assign(y=frame["y"].map(dict(enumerate(words, start=int(frame["y"].min())))))


BINARY = hlm.Model("logit(y) = b0; b0 = g00 + u0")


@pytest.mark.parametrize(
    ("words", "declared"),
    [(("fail", "pass"), None), (("yes", "no"), ["yes", "no"]), (("b", "a"), ["b", "a", "nobody"])],
)
def test_two_words_are_0_and_1(words, declared) -> None:
    frame = passed(words)
    if declared:
        frame["y"] = pd.Categorical(frame["y"], categories=declared)
    fit = BINARY.fit(frame, id="id")
    assert fit.deviance == BINARY.fit(passed((0, 1)), id="id").deviance
    assert f"y (0 {words[0]}, 1 {words[1]}): " in str(fit.summary())
    assert f"Outcome: y (0 {words[0]}, 1 {words[1]})" in fit.listing()
    assert "order" in fit.data.notes[-1]


def test_a_third_word_is_refused_unless_it_is_a_missing_code() -> None:
    frame = passed()
    frame.loc[3, "y"] = "unknown"
    with pytest.raises(DataError, match=r"two values, and y has 3: fail, pass, unknown.*missing="):
        BINARY.fit(frame, id="id")
    data = hlm.read(frame, id="id", missing={"y": "unknown"})
    assert BINARY.fit(data).n_rows == len(frame) - 1


def test_text_that_looks_like_numbers_is_no_words() -> None:
    with pytest.raises(DataError, match="not numeric"):
        BINARY.fit(passed(("0", "one")), id="id")


def test_categories_in_words_are_numbered_in_alphabetical_order() -> None:
    model = hlm.Model("mlogit(y) = b0 + b1*x; b0 = g00; b1 = g10")
    frame = numbered()
    words = frame.assign(y=frame["y"].map({1: "bus", 2: "car", 3: "foot", 4: "train"}))
    fit = model.fit(words, id="id")
    assert fit.deviance == model.fit(frame, id="id").deviance
    assert "y (1 bus, 2 car, 3 foot, 4 train): " in str(fit.summary())
    assert str(fit.means("x", values=[0], category="foot")).startswith("Probability of y = 3 at")


@pytest.mark.parametrize("left", ["y", "log(y)", "logit(y, trials=n)"])
def test_words_where_numbers_are_wanted_name_the_models_for_words(left) -> None:
    with pytest.raises(DataError, match=r"'y' .* not numeric.*logit\(y\) where it has two, mlogit\(y\)"):
        hlm.Model(f"{left} = b0; b0 = g00 + u0").fit(passed(), id="id")
