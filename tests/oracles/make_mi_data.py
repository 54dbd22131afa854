"""data/mi.csv: five imputed copies (column imp) of 12 rows from each of 20 HSB schools. python "
"make_mi_data.py [FOLDER].

mathach and ses were deleted at random (12 and 15 % of the rows) and drawn again from a normal regression
with drawn
coefficients, school means included (seeded). The copies are material for pooling, not an imputation to
imitate.
"""

import numpy as np
from common import HERE, folder_argument, hsb


def draw(rng, y, X, missing):
    """y with its missing rows drawn from the posterior predictive of y ~ X."""
    keep = ~missing
    A = np.linalg.inv(X[keep].T @ X[keep])
    b = A @ X[keep].T @ y[keep]
    df = keep.sum() - X.shape[1]
    s2 = np.sum((y[keep] - X[keep] @ b) ** 2) / rng.chisquare(df)
    b = rng.multivariate_normal(b, s2 * A)
    out = y.copy()
    out[missing] = np.round(X[missing] @ b + rng.normal(0, np.sqrt(s2), missing.sum()), 3)
    return out


def main():
    rng = np.random.default_rng(1982)
    data = hsb(folder_argument())
    schools = np.unique(data["id"])[::8]
    take = np.concatenate([rng.choice(np.flatnonzero(data["id"] == j), 12, replace=False) for j in schools])
    take.sort()
    d = {k: data[k][take] for k in ("id", "female", "ses", "mathach", "sector", "meanses")}
    no_y, no_x = rng.random(len(take)) < 0.12, rng.random(len(take)) < 0.15
    dummies = (d["id"][:, None] == schools[None, :]).astype(float)
    lines = ["imp,id,female,ses,mathach,sector,meanses"]
    for m in range(1, 6):
        base = np.column_stack([dummies, d["female"]])
        ses = draw(
            rng,
            d["ses"],
            np.column_stack([base, np.where(no_y, d["mathach"][~no_y].mean(), d["mathach"])]),
            no_x,
        )
        y = draw(rng, d["mathach"], np.column_stack([base, ses]), no_y)
        rows = zip(d["id"], d["female"], ses, y, d["sector"], d["meanses"], strict=True)
        lines += [",".join([str(m), *(f"{v:g}" for v in row)]) for row in rows]
    (HERE / "data" / "mi.csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
