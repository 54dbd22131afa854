"""What callers mistype is said in words, by every function that asks for a number or a choice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.arguments import in_words, not_negative, one_or_several, seed_or_new, seed_or_none, whole
from hlmbayes.datasets import hsb
from hlmbayes.errors import ArgumentError, EstimationError, HLMError, HypothesisError
from hlmbayes.faces import record_of
from hlmbayes.front.draws import sample

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


SLOPES = hlm.Model("mathach = b0 + b1*group(ses) + r\nb0 = g00 + g01*sector + u0\nb1 = g10 + u1")


@pytest.mark.parametrize(
    "call",
    [
        lambda d, f: hlm.Model.from_formula("y ~ id + (1|id)", data=d),
        lambda d, f: hlm.Model.from_formula("mathach ~ ses + (1|id)", data=3),
        lambda d, f: hlm.Model.from_formula("mathach ~ ses + (1|id)", level2=3),
        lambda d, f: hlm.read({"id": np.array([[1], [2], None], dtype=object)[:2], "y": [1.0, 2.0]}, id="id"),
        lambda d, f: SLOPES.fit(d, precision=3),
        lambda d, f: SLOPES.fit(d, variance_known=["ses"]),
        lambda d, f: SLOPES.fit(d, sigma2=True),
        lambda d, f: hlm.Weights(1),
        lambda d, f: hlm.Weights(["ses"]),
        lambda d, f: hlm.Frequencies(3),
        lambda d, f: f.wald(3),
        lambda d, f: f.wald(None),
        lambda d, f: f.wald({}),
        lambda d, f: f.wald({"g00": []}),
        lambda d, f: f.wald({"g01": 1, "gamma01": 2}),
        lambda d, f: f.test_variable(3),
        lambda d, f: f.test_variable([]),
        lambda d, f: f.compare(3),
        lambda d, f: f.compare(deviance="a", n_parameters=1),
        lambda d, f: f.variance_explained(3),
        lambda d, f: f.residuals(True),
        lambda d, f: f.residuals(2, extra=3),
        lambda d, f: f.residuals(2, extra=[3]),
        lambda d, f: f.plausible_range(3),
        lambda d, f: f.plausible_range(at=3),
        lambda d, f: f.plausible_range(at={"sector": "a"}),
        lambda d, f: f.plausible_range(at={"sector": np.nan}),
        lambda d, f: f.confint("95"),
        lambda d, f: hlm.moments(d, "schools.csv", model=SLOPES),
        lambda d, f: hlm.moments(d, id="school", model=SLOPES),
        lambda d, f: hlm.sample_imputed(SLOPES, [3, 4]),
    ],
)
def test_what_makes_no_sense_is_said_in_words(
    call: Callable[[hlm.TwoLevelData, hlm.Fit], object], data: hlm.TwoLevelData
) -> None:
    with pytest.raises(HLMError):
        call(data, SLOPES.fit(data))


def test_one_name_may_stand_for_a_list(data: hlm.TwoLevelData) -> None:
    assert hlm.moments(data, columns="mathach", level2="sector").columns == ("mathach",)
    assert one_or_several("a") == one_or_several(["a"]) == ("a",)


def test_a_new_seed_is_a_seed() -> None:
    assert seed_or_new(3, EstimationError) == 3
    assert whole("seed", seed_or_new(None, EstimationError), 0, EstimationError) >= 0


def test_results_cannot_be_overwritten(data: hlm.TwoLevelData) -> None:
    fit = SLOPES.fit(data)
    found = record_of(fit)
    arrays = (found.gamma_free, fit.tau, found.vcov_free, found.components.tau, found.design.moments.mean)
    for values in arrays:
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 1.0


def test_fixed_effects_go_by_every_spelling_of_their_names(data: hlm.TwoLevelData) -> None:
    fit = SLOPES.fit(data)
    for name in ("gamma01", "G01", "g0_1"):
        assert fit.wald({name: 1}).chi2 == fit.wald("g01").chi2
    post = SLOPES.sample(data, priors=hlm.Priors(gamma={"gamma01": hlm.Normal(0, 1)}), seed=1)
    assert record_of(post).target.priors.gamma_precision[1] == 1.0


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda fit: fit.means(1), "variable= wants a text, got 1"),
        (lambda fit: fit.slopes("sector", by=5), "by= wants a text or a mapping by name, .* got 5"),
        (lambda fit: fit.means("sector", at=["ses"]), r"at= wants a mapping by name, .* got \['ses'\]"),
        (lambda fit: fit.explore([1, 2]), r"variables= wants a text or a list of texts, got \[1, 2\]"),
        (lambda fit: fit.predict(level=np.eye(2)), "level= wants a whole number, got array"),
        (lambda fit: fit.model.sample(hsb(), seed=1).slopes("sector", by=["x"]), "by= wants a text or a map"),
        (lambda fit: fit.model.fit(hsb(), algorithm=np.eye(2)), "algorithm= wants a text, got array"),
        (lambda fit: fit.model.sample(hsb(), sampler=np.eye(2)), "sampler= wants 'direct' or 'nuts', got"),
        (lambda fit: hlm.fit_imputed("y ~ x", [hsb(), hsb()]), "model= wants TwoLevelModel, got 'y ~ x'"),
        (lambda fit: hlm.long({"p": [1, 2], "s1": [1, 2], "s2": [2, 3]}, {"s": 1}), "variables= wants"),
    ],
)  # fmt: skip
def test_what_crashes_over_an_argument_says_so(
    call: Callable[[hlm.Fit], object], said: str, data: hlm.TwoLevelData
) -> None:
    with pytest.raises(ArgumentError, match=said):
        call(MODEL.fit(data))


def test_a_crash_over_nothing_of_the_callers_stays_one() -> None:
    @in_words
    def broken(x: float, *names: str, y: int | None = None) -> float:
        return x / (y or 0)

    for call in (lambda: broken(1.0), lambda: broken(2, "a", y=np.int64(0))):
        with pytest.raises(ZeroDivisionError):
            call()
    with pytest.raises(ArgumentError, match="names wants a text, got 2"):
        broken(1.0, "a", 2)  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        in_words(in_words(broken))(1.0)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda fit: fit.confint(probb=0.9), r"confint\(\) has no argument probb=. It has .* prob= may be"),
        (lambda fit: fit.icc(zzz=1), r"icc\(\) has no argument zzz=. It has at=, prob="),
        (lambda fit: fit.slopes(), r"slopes\(\) wants variable=, which was not given"),
        (lambda fit: fit.variance_explained(fit, 2), r"variance_explained\(\): too many .* It has base="),
        (lambda fit: fit.check(1), r"check\(\): too many .* It has none with a name"),
        (lambda fit: fit.listing(titel="a"), r"listing\(\) has no argument titel=.* title= may be meant"),
        (lambda fit: fit.to_json(zzz=1), r"listing\(\) has no argument zzz=. It has title="),
        (lambda fit: fit.compare(fit, boostrap=9), r"compare\(\) has no argument boostrap="),
        (lambda fit: fit.model.sample(hsb(), draw=9), r"sample\(\) has no argument draw=.* draws= may"),
    ],
)  # fmt: skip
def test_a_call_that_a_signature_does_not_allow_says_so(
    call: Callable[[hlm.Fit], object], said: str, data: hlm.TwoLevelData
) -> None:
    with pytest.raises(HLMError, match=said) as raised:
        call(MODEL.fit(data))
    assert isinstance(raised.value, TypeError)


def test_a_function_says_in_words_once() -> None:
    def plain(x: float) -> float:
        return 1 / x

    said = in_words(plain)
    assert in_words(said) is said
    assert vars(hlm.Model)["sample"] is sample


@pytest.mark.parametrize("robust", [1, 1.5, "yes", [True], {}])
def test_robust_is_yes_or_no_for_every_outcome(robust: Any) -> None:
    rng = np.random.default_rng(1)
    rows = {"id": np.repeat(range(12), 5), "p": rng.integers(0, 2, 60)}
    fit = hlm.Model("logit(p) = b0; b0 = g00 + u0").fit(rows, id="id")
    with pytest.raises(HypothesisError, match="robust="):
        fit.fixed_effects(robust=robust)
    own = fit.fixed_effects(robust=np.True_)  # type: ignore[arg-type]
    assert own.equals(fit.fixed_effects(robust=True))
