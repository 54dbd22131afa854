"""One model over three sites that may not share their rows: each sends a moments file, and no more.

Run from a checkout: python examples/three_sites.py

High School and Beyond is dealt to three sites; a school whose pupils are at two of them is in both.
Each site takes the moments of its own rows. The coordinator adds them up and fits: the estimates are those of
all rows together, with standard errors, robust standard errors and tests.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import pandas as pd

import hlmbayes as hlm

MODEL = hlm.Model("""
    mathach = b0 + b1*group(ses) + r
    b0 = g00 + g01*sector + g02*meanses + u0
    b1 = g10 + g11*sector + g12*meanses + u1
""")


def rows_of_the_sites() -> list[pd.DataFrame]:
    """Deal the pupils to three sites; every tenth school has pupils at two."""
    data = hlm.datasets.hsb()
    frame = pd.DataFrame({name: data.level1_column(name) for name in ("mathach", "ses")})
    frame["id"] = data.unit_ids[data.unit]
    for name in ("sector", "meanses"):
        frame[name] = data.level2_column(name)[data.unit]
    site = data.unit % 3
    shared = (data.unit % 10 == 0) & (np.arange(len(frame)) % 2 == 0)
    site = np.where(shared, (site + 1) % 3, site)
    return [frame[site == k] for k in range(3)]


def at_a_site(rows: pd.DataFrame, path: Path) -> None:
    """What a site runs, on rows that stay where they are."""
    moments = hlm.moments(rows, id="id", model=MODEL)
    few = moments.unit_ids[moments.n < 5]
    assert not len(few), f"schools with fewer than 5 pupils say too much of each: {few}"
    moments.save(path)
    print(f"{path.name}: {moments.n_rows} pupils in {moments.n_units} schools, {path.stat().st_size} bytes")


def main() -> None:
    sites = rows_of_the_sites()
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"site{k}.moments.parquet" for k in (1, 2, 3)]
        for rows, path in zip(sites, paths, strict=True):
            at_a_site(rows, path)
        together = sum(hlm.load_moments(path) for path in paths)

    fit = MODEL.fit(together)
    print(f"together: {fit.n_rows} pupils in {fit.n_units} schools\n")
    print(fit.fixed_effects(robust=True).round(4), "\n")
    print(fit.variance_components().round(4), "\n")

    whole = MODEL.fit(hlm.datasets.hsb())
    apart = np.max(np.abs(fit.gamma / whole.gamma - 1)), np.max(np.abs(fit.tau / whole.tau - 1))
    print(f"largest relative difference from the fit of all rows: gamma {apart[0]:.1e}, tau {apart[1]:.1e}")
    assert max(apart) < 1e-9


if __name__ == "__main__":
    main()
