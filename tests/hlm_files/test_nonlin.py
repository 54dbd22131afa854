"""nonlin: and what goes with it, read and written."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes import Model
from hlmbayes.equations.outcome_law import NORMAL, OutcomeLaw
from hlmbayes.errors import CommandFileError
from hlmbayes.hlm_files.command_file import parse
from hlmbayes.hlm_files.command_writer import to_text

TEXT = """#WHLM CMD FILE FOR thai.mdm
{lines}
level1:REPEAT=INTRCPT1+SEX+PPED+RANDOM
level2:INTRCPT1=INTRCPT2+MSESC+RANDOM/
level2:SEX=INTRCPT2/
level2:PPED=INTRCPT2/
"""


@pytest.mark.parametrize(
    ("lines", "law"),
    [
        ("nonlin:n", NORMAL),
        ("numit:100", NORMAL),
        ("nonlin:bernoulli", OutcomeLaw("bernoulli", "logit")),
        ("NONLIN: Bernoulli\nfixsigma2:1.000000", OutcomeLaw("bernoulli", "logit")),
        ("nonlin:binomial, TRIED", OutcomeLaw("binomial", "logit", "TRIED")),
        ("nonlin:poisson", OutcomeLaw("poisson", "log")),
        ("nonlin:poisson,n\nfixsigma2:n", OutcomeLaw("poisson", "log", "n", True)),
        ("nonlin:poisson,YEARS\nfixsigma2:n", OutcomeLaw("poisson", "log", "YEARS", True)),
    ],
)
def test_what_nonlin_says_of_the_outcome(lines: str, law: OutcomeLaw) -> None:
    file = parse(TEXT.format(lines=lines), "thai.hlm")
    assert file.model.outcome_law == law
    assert file.warnings == file.not_done == ()
    again = parse(to_text(file.model, file.options))
    assert (again.model, again.options) == (file.model, file.options)


@pytest.mark.parametrize("law", [OutcomeLaw("ordinal", "cumlogit"), OutcomeLaw("multinomial", "mlogit")])
@pytest.mark.parametrize("more", [",3", "", ",4\nfixsigma2:n"])
def test_an_outcome_of_categories_has_no_variance(law: OutcomeLaw, more: str) -> None:
    assert parse(TEXT.format(lines=f"nonlin:{law.family}{more}"), "thai.hlm").model.outcome_law == law


def test_how_long_macro_iterations_go_on() -> None:
    more = "macroit:25\nmicroit:50\nstopmacro:0.0001\nstopmicro:0.000001\nlaplace:y"
    file = parse(TEXT.format(lines=f"nonlin:bernoulli\n{more}"), "thai.hlm")
    assert (file.options.most_macro, file.options.stop_macro, file.options.laplace) == (25, 1e-4, True)
    assert file.options.fix_sigma2 is None
    again = parse(to_text(file.model, file.options))
    assert again.options == file.options
    linear = parse(TEXT.format(lines=f"nonlin:n\n{more}"), "thai.hlm")
    assert (linear.options.most_macro, linear.options.stop_macro, linear.options.laplace) == (
        None,
        None,
        False,
    )


def test_categories_are_counted_in_the_data(tmp_path: Path) -> None:
    rows = {"id": [1, 1, 1, 2, 2, 2], "y": [1, 2, 3, 1, 2, None], "x": [0, 1, 0, 1, 0, 1]}
    data = hlm.read(pd.DataFrame(rows), id="id")
    for link, family in (("cumlogit", "ordinal"), ("mlogit", "multinomial")):
        model = Model(f"{link}(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10")
        with pytest.raises(CommandFileError, match=r"how many categories an outcome that is \w+ has"):
            to_text(model)
        text = model.save(tmp_path / "saved.hlm", data)[0].read_text()
        assert f"nonlin:{family},3\n" in text
        assert parse(text, "saved.hlm").model == model


@pytest.mark.parametrize("left", ["probit(y)", "cloglog(y, trials=n)"])
def test_links_that_a_command_file_does_not_have(left: str) -> None:
    with pytest.raises(CommandFileError, match="save the equations as text"):
        to_text(Model(f"{left} = b0; b0 = g00 + u0"))
