"""Imputed data sets that are not of one kind: refused, or warned of, and never pooled by their places."""

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.errors import DataError, HLMError, HLMWarning

MODEL = hlm.Model("y = b0 + b1*C(g) + r; b0 = g00 + u0; b1 = g10")
DOORS = [hlm.fit_imputed, hlm.sample_imputed]


def frame(seed):
    rng = np.random.default_rng(seed)
    found = pd.DataFrame({"id": np.repeat(np.arange(20), 8), "g": np.tile(np.arange(8) % 3, 20)})
    found["y"] = rng.normal(size=20)[found.id] + found.g**2 + rng.normal(size=160)
    return found


def labelled(seed, labels, path):
    """Write a file of SPSS whose codes have these labels; each stands for the same thing in all files."""
    pyreadstat = pytest.importorskip("pyreadstat")
    code = {label: code for code, label in labels.items()}
    own = frame(seed)
    own["g"] = own.g.map({0: "none", 1: "some", 2: "much"}).map(code)
    pyreadstat.write_sav(own, path, variable_value_labels={"g": labels})
    return path


@pytest.mark.parametrize("door", DOORS)
def test_levels_in_another_order_are_refused(door):
    """The effect of one level was averaged with that of another: they were pooled by their places."""
    sets = [frame(k) for k in range(2)]
    sets[0]["g"] = pd.Categorical(sets[0].g.map({0: "a", 1: "b", 2: "c"}), categories=["a", "b", "c"])
    sets[1]["g"] = pd.Categorical(sets[1].g.map({0: "a", 1: "b", 2: "c"}), categories=["a", "c", "b"])
    with pytest.raises(DataError, match=r"levels of a factor in another order .*g10\[b\] where .*g10\[c\]"):
        door(MODEL, hlm.read_imputed(sets, id="id"))


def test_codes_that_have_other_labels_are_warned_of(tmp_path):
    """A number that means one thing here and another there: as a factor refused, as a number warned of."""
    one = labelled(0, {0: "none", 1: "some", 2: "much"}, tmp_path / "one.sav")
    two = labelled(1, {0: "none", 1: "much", 2: "some"}, tmp_path / "two.sav")
    sets = hlm.read_imputed([one, two], id="id")
    said = "g: 1.0 has the label 'some' in data set 1 and 'much' in 2"
    with pytest.warns(HLMWarning, match=said), pytest.raises(DataError, match="in another order"):
        hlm.fit_imputed(MODEL, sets)
    with pytest.warns(HLMWarning, match=said):
        hlm.fit_imputed(hlm.Model("y = b0 + b1*g + r; b0 = g00 + u0; b1 = g10"), sets)
    hlm.fit_imputed(hlm.Model("y = b0 + r; b0 = g00 + u0"), sets)  # without it nothing is said


def test_effects_of_replicated_fits_are_held_against_each_other():
    sets = [frame(k).assign(w=1.0, w1=lambda f: 2.0 * (f.id % 2), w2=lambda f: 2.0 - f.w1) for k in range(2)]
    sets[1]["g"] = sets[1].g.where(sets[1].g < 2, 5)
    with pytest.raises(DataError, match=r"g10\[2\], g10\[5\]"):
        hlm.fit_imputed(
            MODEL, hlm.read_imputed(sets, id="id"), weights=hlm.Weights("w"), replicates=["w1", "w2"]
        )


def test_ids_that_are_text_in_one_and_numbers_in_the_other():
    text = frame(1).assign(id=lambda f: f.id.map("{:03d}".format))
    with pytest.raises(DataError, match=r"id is text in one .* and numbers in the other"):
        hlm.read_imputed([frame(0), text], id="id")


@pytest.mark.parametrize("door", DOORS)
def test_one_data_set_several_times_is_refused(door):
    data = hlm.read(frame(0), id="id")
    with pytest.raises(DataError, match="there twice"):
        door(MODEL, [data, hlm.read(frame(1), id="id"), data])


def test_the_listing_of_many_data_sets_names_the_first_of_them():
    pooled = hlm.fit_imputed(MODEL, hlm.read_imputed([frame(k) for k in range(30)], id="id"))
    assert "over 30 imputed data sets (1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 20 more) by" in pooled.listing()


def test_pooled_models_of_other_imputations_are_not_compared():
    """The same outcomes and other predictors: each data set's deviances were compared all the same."""
    full, smaller = (hlm.Model(f"y = b0 + b1*x + r; b0 = g00 + u0; b1 = g10{u}") for u in (" + u1", ""))
    sets = [hlm.read(frame(0).assign(x=np.random.default_rng(k).normal(size=160)), id="id") for k in range(4)]
    own = hlm.fit_imputed(full, sets[:2], method="ML")
    assert own.compare(hlm.fit_imputed(smaller, sets[:2], method="ML")).df == 2
    other = hlm.fit_imputed(smaller, sets[2:], method="ML")
    with pytest.raises(HLMError, match="the values of x are others"):
        own.compare(other)
    post = smaller.sample(sets[0], seed=1, draws=400, chains=2)
    with pytest.raises(HLMError, match="the values of x are others"):
        post.compare(other.fits[0])
