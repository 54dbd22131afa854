"""What pooled results say of a level-1 variance that is known, of weights and of frequencies."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm

FRAME = pd.read_csv(Path(__file__).parents[1] / "oracles" / "data" / "mi.csv")
FRAME["w"] = 1 + FRAME.index % 3
SETS = hlm.read_imputed(FRAME, id="id", by="imp")
MODEL = hlm.Model("mathach = b0 + b1*group(ses) + r; b0 = g00 + g01*sector + u0; b1 = g10")


def test_a_known_variance_has_no_standard_error(tmp_path):
    """0 with no information missing was printed of it; intervals had its value at both ends."""
    pooled = hlm.fit_imputed(MODEL, SETS, sigma2=36.0)
    assert np.isnan(pooled.variance_components().loc["r", ["se", "df", "fmi", "riv"]].astype(float)).all()
    assert not {"sigma", "sigma2"} & set(pooled.confint().index)
    (line,) = (row for row in pooled.listing().splitlines() if row.startswith(" level-1, R "))
    assert line.split()[-4:] == ["6.00000", "36.00000", "n/a", "n/a"]
    assert "level-1 variance known, not estimated" in " ".join(str(hlm.table(pooled)).split())
    found = json.loads(pooled.to_json())
    assert found["variance_components"]["r"]["se"] is None
    assert found["given"] == ["Sigma squared is held at 36 and not estimated."]
    page = pooled.report(tmp_path / "known.html").read_text(encoding="utf-8")
    assert "level-1 (known, not estimated)" in page
    assert page.count("Sigma squared is held at 36 and not estimated.") > 1  # listing, and for a paper


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"precision": "w"}, "Precision weights: the level-1 variance of a row is sigma squared / w."),
        ({"weights": hlm.Weights("w")}, "Sampling weights: w at level 1."),
        ({"frequency": hlm.Frequencies("w")}, "Frequencies: w at level 1."),
    ],
)
def test_a_pooled_listing_says_what_rows_weigh(options, said):
    pooled = hlm.fit_imputed(MODEL, SETS, **options)
    assert said in " ".join(pooled.listing().split())
    assert json.loads(pooled.to_json())["given"][0].startswith(said)


def test_with_replicate_weights_the_full_ones_are_named():
    twice = FRAME[FRAME.imp < 3].assign(
        w1=lambda f: f.w * (1 + (f.id % 2)), w2=lambda f: f.w * (2 - f.id % 2)
    )
    sets = hlm.read_imputed(twice, id="id", by="imp")
    pooled = hlm.fit_imputed(MODEL, sets, weights=hlm.Weights("w"), replicates=["w1", "w2"])
    assert "Sampling weights: w at level 1." in pooled.listing()
    assert "robust" not in pooled.listing()
