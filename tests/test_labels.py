"""Named arrays: names and positions, and nothing else changed."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from hlmbayes.labels import NamedArray, Sentence


def test_names_and_positions_give_the_same() -> None:
    gamma = NamedArray([1.0, 2.0], ["g00", "g10"])
    assert gamma["g10"] == gamma["G10"] == gamma[1] == 2.0
    assert gamma.keys() == ("g00", "g10")
    assert dict(gamma.items()) == {"g00": 1.0, "g10": 2.0}
    tau = NamedArray([[1.0, 0.5], [0.5, 2.0]], ["b0", "b1"])
    assert tau["b0", "b1"] == tau[0, 1] == tau[0][1] == 0.5


def test_an_unknown_name_lists_the_names() -> None:
    with pytest.raises(KeyError, match="g00, g10"):
        NamedArray([1.0, 2.0], ["g00", "g10"])["g01"]


def test_names_must_fit() -> None:
    with pytest.raises(ValueError, match="3 names"):
        NamedArray([1.0, 2.0], ["a", "b", "c"])


def test_results_of_arithmetic_are_plain_and_the_original_is_safe() -> None:
    gamma = NamedArray([1.0, 2.0], ["g00", "g10"])
    assert type(gamma * 2) is np.ndarray
    assert isinstance(gamma.sum(), float)
    assert type(gamma[:1]) is np.ndarray
    with pytest.raises(ValueError, match="read-only"):
        gamma[0] = 5.0


def test_they_are_shown_with_their_names() -> None:
    assert repr(NamedArray([1.0, 2.5], ["g00", "g10"])) == "g00 1, g10 2.5"
    tau = NamedArray([[1.0, -0.5], [-0.5, 2.0]], ["b0", "b1"])
    assert str(tau).splitlines() == ["      b0    b1", "b0     1  -0.5", "b1  -0.5     2"]
    assert repr(NamedArray([], [])) == ""
    assert repr(tau.reshape(4)) == "array([ 1. , -0.5, -0.5,  2. ])"


def test_a_result_is_shown_as_its_sentence() -> None:
    class Said(Sentence):
        def __str__(self) -> str:
            return "it is so"

    assert repr([Said()]) == "[it is so]"


def test_pickling_keeps_the_names() -> None:
    gamma = pickle.loads(pickle.dumps(NamedArray([1.0, 2.0], ["g00", "g10"])))
    assert gamma["g10"] == 2.0
