"""The clicks, without a browser: each is a function from state to state."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlmbayes.app import state as edits
from hlmbayes.app.state import State
from hlmbayes.equations.model import TwoLevelModel
from hlmbayes.equations.outcome_law import NORMAL
from hlmbayes.errors import EquationError, HLMError

MODEL4 = """mathach = b0 + b1*group(ses) + r
b0 = g00 + g01*sector + g02*meanses + u0
b1 = g10 + g11*sector + g12*meanses + u1"""


@pytest.fixture(scope="module")
def model4() -> State:
    return edits.from_text(State(), MODEL4)


def test_the_seminars_models_are_clicked_together():
    state = edits.choose_outcome(State(), "mathach")
    assert edits.to_text(state) == "mathach = b0 + r\nb0 = g00 + u0"
    state = edits.add_level2(state, "sector")
    state = edits.add_level2(state, "meanses")
    state = edits.add_level1(state, "ses", "group")
    assert not state.known.coefficients[1].random
    state = edits.choose_equation(edits.toggle_u(state, "u1"), "b1")
    state = edits.add_level2(state, "sector")
    assert edits.to_text(edits.add_level2(state, "meanses")) == MODEL4


def test_no_predictor_comes_before_the_outcome():
    with pytest.raises(EquationError, match="no outcome is chosen"):
        edits.add_level1(State(), "ses")


def test_another_centring_takes_the_place_of_the_first(model4):
    state = edits.add_level1(model4, "SES", "grand")
    assert state.known.coefficients[1].predictor.centering == "grand"
    assert state.known.coefficients[1].gammas == model4.known.coefficients[1].gammas


def test_a_variable_becomes_a_factor_and_one_again(model4):
    state = edits.add_level1(model4, "ses", "factor")
    assert "b1*C(ses)" in edits.to_text(state)
    assert edits.to_text(edits.add_level1(state, "ses", "group")) == MODEL4


def test_random_only_and_no_intercept(model4):
    state = edits.add_level1(model4, "female")
    state = edits.choose_equation(edits.toggle_u(state, "u2"), "b2")
    state = edits.delete_level2(state, "INTRCPT2")
    assert edits.to_text(state).endswith("b2 = u2")
    with pytest.raises(EquationError, match="has nothing but u2"):
        edits.toggle_u(state, "u2")
    without = edits.delete_level1(state, "INTRCPT1")
    assert without.known.coefficient_names == ("b1", "b2")
    assert edits.add_level1(without, "INTRCPT1").known.coefficient_names == ("b0", "b1", "b2")
    assert edits.add_level2(state, "INTRCPT2").known.coefficients[2].gammas


def test_deleting_moves_constraints_hypotheses_blocks_and_the_chosen_equation(model4):
    state = edits.add_level1(edits.from_text(State(), MODEL4.replace("b1*", "b1*female + b2*").replace(
        "b1 = g10 + g11*sector + g12*meanses + u1",
        "b1 = g10 + u1\nb2 = g20 + g21*sector + g22*meanses + u2")), "minority")  # fmt: skip
    state = edits.constrain(state, ["g02 = g22"])
    state = edits.independent(state, True)
    row = tuple(float(name == "g21") for name in state.known.gamma_names)
    state = edits.choose_equation(state, "b2")
    from dataclasses import replace

    state = replace(state, options=replace(state.options, hypotheses=((row,),)))
    state = edits.delete_level1(state, "female")
    assert state.known.constraints == (("g02", "g12"),)
    assert state.known.blocks == (("u0",), ("u1",))
    assert state.equation == "b1"
    moved = dict(zip(state.known.gamma_names, state.options.hypotheses[0][0], strict=True))
    assert {name for name, value in moved.items() if value} == {"g11"}
    gone = edits.delete_level2(state, "sector")
    assert gone.options.hypotheses == ()


def test_a_level2_variable_is_deleted_where_it_is(model4):
    state = edits.delete_level2(model4, "sector")
    assert edits.to_text(state).splitlines()[1:] == [
        "b0 = g00 + g01*meanses + u0",
        "b1 = g10 + g11*sector + g12*meanses + u1",
    ]
    assert "sector" not in edits.to_text(edits.delete_level2(state, "sector"))
    with pytest.raises(EquationError, match="not in the equation"):
        edits.delete_level2(state, "size")


def test_terms_are_added_at_both_levels(model4):
    state = edits.add_term(model4, 1, "ses*female")
    assert "b2*ses*female" in edits.to_text(state)
    assert "g03*log(size)" in edits.to_text(edits.add_term(state, 2, "log(size)"))
    with pytest.raises(EquationError, match="write a term"):
        edits.add_term(model4, 1, "  ")
    with pytest.raises(EquationError):
        edits.add_term(model4, 1, "ses*")
    with pytest.raises(EquationError, match="more than one term"):
        edits.add_term(model4, 1, "ses + b2*female")


def test_deleting_the_outcome_begins_anew(model4):
    assert edits.delete_level1(model4, "mathach").model is None


def test_another_outcome_leaves_the_predictors_without_itself(model4):
    text = edits.to_text(edits.choose_outcome(model4, "ses"))
    assert text.splitlines()[0] == "ses = b0 + r"


def test_settings_are_part_of_the_equations(model4):
    state = edits.level1_variance(model4, ["female"])
    assert "log(sigma2) = a0 + a1*female" in edits.to_text(state)
    assert "a1" in edits.to_text(edits.toggle_u(state, "u1"))
    assert edits.level1_variance(state, []).model == model4.model


def test_text_goes_both_ways(model4):
    assert edits.from_text(State(), edits.to_text(model4)).model == model4.model
    with pytest.raises(EquationError):
        edits.from_text(model4, "mathach = b0 +")


NAMES = st.sampled_from(["ses", "female", "minority", "INTRCPT1"])
LEVEL2 = st.sampled_from(["sector", "meanses", "size", "INTRCPT2"])
HOW = st.sampled_from(["none", "group", "grand", "factor"])
CLICKS = st.one_of(
    st.tuples(st.just(edits.add_level1), NAMES, HOW),
    st.tuples(st.just(edits.add_level2), LEVEL2, st.sampled_from(["none", "grand", "factor"])),
    st.tuples(st.just(edits.delete_level1), NAMES),
    st.tuples(st.just(edits.delete_level2), LEVEL2),
    st.tuples(st.just(edits.toggle_u), st.sampled_from(["u0", "u1", "u2"])),
    st.tuples(st.just(edits.choose_equation), st.sampled_from(["b0", "b1", "b2"])),
    st.tuples(st.just(edits.choose_outcome), st.sampled_from(["mathach", "ses"])),
    st.tuples(st.just(edits.null_model)),
)


@settings(max_examples=60)
@given(st.lists(CLICKS, max_size=12))
def test_whatever_is_clicked_reads_back(clicks):
    state = edits.choose_outcome(State(), "mathach")
    for act, *arguments in clicks:
        try:
            state = act(state, *arguments)
        except HLMError:
            continue
        if state.model is not None:
            assert TwoLevelModel(edits.to_text(state)) == state.model
            assert state.equation in state.model.coefficient_names


def test_a_click_leaves_the_distribution_of_the_outcome_as_it_is() -> None:
    state = State(TwoLevelModel("logit(y) = b0; b0 = g00 + u0"))
    assert edits.to_text(edits.add_level1(state, "x")).startswith("logit(y) = b0 + b1*x\n")
    assert edits.distributed(state, NORMAL).known == TwoLevelModel("y = b0 + r; b0 = g00 + u0")
