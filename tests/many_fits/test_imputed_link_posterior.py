"""Draws of outcomes that are not normal over imputed data: the separate posteriors, and Rubin's rules."""

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.errors import DataError, HLMError
from tests.hglm.test_counting import FIXED, FRAME, LEFT
from tests.many_fits.test_pooled_generalized import SETS

KINDS = {**LEFT, "multinomial": "mlogit(choice)"}
SIZE = {"seed": 4, "draws": 500, "chains": 2}


@pytest.mark.parametrize("kind", KINDS)
def test_draws_of_all_data_sets_are_taken_together(kind):
    model = hlm.Model(f"{KINDS[kind]} = {FIXED}")
    pooled = hlm.sample_imputed(model, SETS[:2], **SIZE)
    each, effects = pooled.posteriors, hlm.fit_imputed(model, SETS[:2]).fixed_effects()
    name, rubin = effects.index[0], effects.iloc[0]
    np.testing.assert_array_equal(pooled[name], np.concatenate([post[name] for post in each]))
    alone = model.sample(SETS[1], **{**SIZE, "seed": each[1].settings.seed})
    np.testing.assert_array_equal(each[1][name], alone[name])
    row = pooled.summary(0.9).loc[name]
    np.testing.assert_allclose(
        row[["eti90_low", "eti90_high"]].astype(float), np.quantile(pooled[name], [0.05, 0.95])
    )
    assert abs(row["mean"] - rubin.coefficient) < 0.35 * rubin.se
    assert pooled.contrast(f"{name} = 0").mean[0] == pytest.approx(row["mean"])


def test_ratios_and_the_correlation_are_of_all_draws():
    pooled = hlm.sample_imputed(hlm.Model(f"log(hits, exposure=n) = {FIXED}"), SETS, **SIZE)
    line = pooled.ratios(prob=0.8).loc["g10"].drop("name").astype(float)
    low, middle, high = np.quantile(pooled["g10"], [0.1, 0.5, 0.9])
    np.testing.assert_allclose(line, [*np.exp([middle, low, high]), np.mean(pooled["g10"] > 0)])
    each = [post.icc().draws for post in pooled.posteriors]  # a row's variance is that of each data set
    np.testing.assert_allclose(pooled.icc().draws, np.concatenate(each))
    assert "Draws given 3 completed data sets" in repr(pooled)
    with pytest.raises(HLMError, match="draws, summary, contrast, ratios and icc are of all draws"):
        pooled.fits  # noqa: B018


@pytest.mark.parametrize("door", [hlm.fit_imputed, hlm.sample_imputed])
@pytest.mark.parametrize("left", ["cumlogit(rating)", "mlogit(rating)"])
def test_data_sets_with_other_categories_are_refused(door, left):
    """One of two imputations of the outcome may lack a rare category: cuts of them do not pool."""
    top = FRAME.rating == FRAME.rating.max()
    short = hlm.read(FRAME.assign(rating=FRAME.rating - top), id="id")
    with pytest.raises(DataError, match=r"data sets 1 and 2 .*(categories|columns)"):
        door(hlm.Model(f"{left} = {FIXED}"), [SETS[0], short])


def test_a_category_that_another_took_the_place_of():
    """As many cuts, of other categories: they were pooled."""
    moved = hlm.read(FRAME.assign(rating=FRAME.rating.where(FRAME.rating < FRAME.rating.max(), 6)), id="id")
    with pytest.raises(DataError, match="different categories of rating"):
        hlm.fit_imputed(hlm.Model(f"cumlogit(rating) = {FIXED}"), [SETS[0], moved])


def test_a_mean_that_places_the_correlation_is_that_of_all_data_sets():
    frame = pd.DataFrame({"id": FRAME.id, "y": FRAME.hits + FRAME.x, "x": FRAME.x})
    sets = [hlm.read(frame.assign(x=frame.x + k / 10 - 0.5), id="id") for k in range(2)]
    model = hlm.Model("y = b0 + b1*x + r; b0 = g00 + u0; b1 = g10 + u1")
    pooled = hlm.sample_imputed(model, sets, **SIZE)
    at = {"x": float(frame.x.mean() - 0.45)}
    assert pooled.icc(at="mean").icc == pytest.approx(pooled.icc(at=at).icc)
