"""contrasts.json: estimate, s.e., d.f., interval, test of single combinations of effects, data/small.csv.

lmerTest::contest1D (Satterthwaite, Kenward-Roger) and clubSandwich::linear_contrast (CR2 with its own d.f.,
CR0 and CR1 with the normal distribution); estimates and model-based standard errors by dense matrices.
"""

import numpy as np
import small
from common import design, run_r, save
from dense import fit, split
from make_lme4 import lower_root

ROWS = {"g01 - g11": [0, 1, 0, -1], "g00 + 0.5*g01": [1, 0.5, 0, 0], "g01 - 2*g11 = 0.5": [0, 1, 0, -2]}
VALUES = [0.0, 0.0, 0.5]


def main():
    data = small.load()
    X, Z = design(data, small.MODEL)
    problem = split(data["id"], data["y"], X, Z, True)
    found = fit(problem)
    L = np.array(list(ROWS.values()))
    covariance = np.asarray(found["vcov"])
    dense = {"estimate": L @ found["gamma"], "se": np.sqrt(np.diag(L @ covariance @ L.T))}
    start = lower_root(found["tau"], found["noise"][0])
    request = {"theta_reml": start, "contrasts": L, "values": VALUES}
    r = run_r("contrasts.R", request, id=data["id"], y=data["y"], x=X, z=Z)
    content = {"equations": small.MODEL["equations"], "rows": list(ROWS), "L": L, "dense": dense, "R": r}
    save("contrasts.json", "make_contrasts.py (contrasts.R)", content, ("lme4", "lmerTest", "clubSandwich"))


if __name__ == "__main__":
    main()
