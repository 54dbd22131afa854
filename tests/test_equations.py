"""Equation text -> Model and back."""

from hlmbayes.equations import Model

MODEL4 = """
    mathach = b0 + b1*group(ses) + r
    b0 = g00 + g01*sector + g02*meanses + u0
    b1 = g10 + g11*sector + g12*meanses + u1
"""


def test_model4_reads_and_prints_back() -> None:
    model = Model(MODEL4)
    assert model.gamma_names == ("g00", "g01", "g02", "g10", "g11", "g12")
    assert Model(model.equations()) == model
