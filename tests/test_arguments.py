"""What callers mistype is said in words, by every function that asks for a number or a choice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.arguments import not_negative, seed_or_none, whole
from hlmbayes.datasets import hsb
from hlmbayes.errors import EstimationError, HLMError, HypothesisError

MODEL = hlm.Model("mathach = b0 + r\nb0 = g00 + g01*sector + u0")


@pytest.fixture(scope="module")
def data() -> hlm.TwoLevelData:
    return hsb()


@pytest.mark.parametrize("got", [True, 2.0, "3", None, -1, np.nan])
def test_what_is_no_whole_number_is_refused(got: Any) -> None:
    with pytest.raises(EstimationError, match=r"n must be a whole number of at least 0, got"):
        whole("n", got, 0, EstimationError)


def test_numbers_of_numpy_are_numbers() -> None:
    assert whole("n", np.int64(3), 0, EstimationError) == 3
    assert not_negative("x", np.float32(0.5), EstimationError) == 0.5
    assert seed_or_none(None, EstimationError) is None
    assert seed_or_none(np.int8(4), EstimationError) == 4


@pytest.mark.parametrize(
    "options",
    [
        {"method": 1}, {"method": "MLE"}, {"algorithm": None}, {"max_iterations": None},
        {"max_iterations": 2.5}, {"max_iterations": 0}, {"stopval": -1.0}, {"stopval": np.nan},
        {"stopval": "a"}, {"accel": -1}, {"accel": 2.5}, {"sigma2": "x"}, {"sigma2": -1.0},
    ],
    ids=str,
)  # fmt: skip
def test_options_of_a_fit(options: dict[str, Any], data: hlm.TwoLevelData) -> None:
    with pytest.raises(EstimationError, match=next(iter(options))):
        MODEL.fit(data, **{"algorithm": "hlm", **options})


@pytest.mark.parametrize(
    "call",
    [
        lambda fit: fit.bootstrap(10.0), lambda fit: fit.bootstrap("10"), lambda fit: fit.bootstrap(1),
        lambda fit: fit.bootstrap(10, seed="a"), lambda fit: fit.wald([[0, 1]], robust=1),
        lambda fit: fit.fixed_effects(robust=1), lambda fit: fit.fixed_effects(df=3),
    ],
)  # fmt: skip
def test_options_of_tests(call: Callable[[hlm.Fit], object], data: hlm.TwoLevelData) -> None:
    with pytest.raises(HypothesisError, match=r"got|is not known"):
        call(MODEL.fit(data))


@pytest.mark.parametrize("name", [3, ("a",), ("a", "b", "c")])
def test_the_id_is_one_name_or_two(name: Any) -> None:
    with pytest.raises(HLMError, match="id= wants the name of the id column"):
        hlm.read({"id": [1, 2], "y": [1.0, 2.0]}, id=name)
