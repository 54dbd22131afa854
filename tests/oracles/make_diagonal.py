"""diagonal.json: lmer with independent random effects, (x || id) and (1 + x | id) + (0 + z | id).

python make_diagonal.py [FOLDER]
"""

import numpy as np
from common import HERE, columns, design, folder_argument, hsb, run_r, save, with_centred, write_rows
from make_singular import CASES as SINGULAR
from make_singular import LINE

HSB = {
    "equations": [
        "mathach = b0 + b1*group(ses) + b2*minority + r", "b0 = g00 + g01*sector + u0",
        "b1 = g10 + g11*sector + u1", "b2 = g20 + u2",
    ],
    "fixed": {
        "g00": "1", "g01": "sector", "g10": "group(ses)", "g11": "group(ses)*sector", "g20": "minority",
    },
    "random": ["1", "group(ses)", "minority"],
}  # fmt: skip
TWO = {
    "equations": ["mathach = b0 + b1*ses + r", "b0 = g00 + u0", "b1 = g10 + u1"],
    "fixed": {"g00": "1", "g10": "ses"},
    "random": ["1", "ses"],
}
SMALL = {
    "equations": ["y = b0 + b1*x + b2*z + r", "b0 = g00 + g01*w + u0", "b1 = g10 + u1", "b2 = g20 + u2"],
    "fixed": {"g00": "1", "g01": "w", "g10": "x", "g20": "z"},
    "random": ["1", "x", "z"],
}
DIAGONAL = "cov(u0, u1, u2) = 0"
BLOCKS = "cov(u0, u2) = cov(u1, u2) = 0"


def case(data, outcome, model, line, blocks, *, tests):
    x, z = design(data, model)
    request = {"blocks": blocks, "tests": tests}
    found = run_r("diagonal.R", request, y=data[outcome], id=data["id"], x=x, z=z)
    return {"equations": [*model["equations"], line], "names": list(model["fixed"])} | found


def simulated():
    """40 units of 4 to 11 rows; u0 and u1 are correlated, u2 is independent of them."""
    rng = np.random.default_rng(14)
    unit = np.repeat(np.arange(40), rng.integers(4, 12, 40))
    x, z, w = rng.normal(size=len(unit)), rng.normal(1.0, 1.0, len(unit)), rng.normal(size=40)
    root = np.array([[0.9, 0.0, 0.0], [0.4, 0.5, 0.0], [0.0, 0.0, 0.6]])
    u = (rng.normal(size=(40, 3)) @ root.T)[unit]
    y = 3.0 + 0.4 * w[unit] + u[:, 0] + (0.5 + u[:, 1]) * x + (u[:, 2] - 0.3) * z + rng.normal(size=len(unit))
    values = {"x": x, "z": z, "w": w[unit], "y": y}
    return {"id": unit + 1.0} | {name: np.round(v, 3) for name, v in values.items()}


def main():
    rows = hsb(folder_argument())
    write_rows(HERE / "data" / "diagonal.csv", **simulated())
    small = with_centred(columns(HERE / "data" / "diagonal.csv"))
    out = {
        "hsb_two": {"data": "hsb"} | case(rows, "mathach", TWO, "cov(u0, u1) = 0", [[1], [2]], tests=False),
        "hsb_diagonal": {"data": "hsb"} | case(rows, "mathach", HSB, DIAGONAL, [[1], [2], [3]], tests=False),
        "hsb_blocks": {"data": "hsb"} | case(rows, "mathach", HSB, BLOCKS, [[1, 2], [3]], tests=False),
        "diagonal": {"data": "data/diagonal.csv"}
        | case(small, "y", SMALL, DIAGONAL, [[1], [2], [3]], tests=True),
        "blocks": {"data": "data/diagonal.csv"} | case(small, "y", SMALL, BLOCKS, [[1, 2], [3]], tests=True),
        "blocks_apart": {"data": "data/diagonal.csv"}
        | case(small, "y", SMALL, "cov(u0, u1) = cov(u1, u2) = 0", [[1, 3], [2]], tests=False),
    }
    for name, model in SINGULAR.items():
        if len(model["random"]) == 1:
            continue
        data = with_centred(columns(HERE / "data" / f"singular_{name}.csv"))
        q = len(model["random"])
        line = "cov(u0, u1) = 0" if model is LINE else DIAGONAL
        blocks = [[k + 1] for k in range(q)]
        where = {"data": f"data/singular_{name}.csv"}
        out[f"singular_{name}"] = where | case(data, "y", model, line, blocks, tests=False)
    for name, found in out.items():
        for method in ("REML", "ML"):
            print(
                name, method, found[method]["deviance"], found[method]["by_optimiser"], found[method]["tau"]
            )
    save(
        "diagonal.json",
        "make_diagonal.py (diagonal.R)",
        {
            "what": "lmer with independent random effects: the best of its optimisers; where asked for "
            "lmerTest's Satterthwaite, pbkrtest's Kenward-Roger, clubSandwich's CR2.",
            "cases": out,
        },
        ("lme4", "minqa", "lmerTest", "pbkrtest", "clubSandwich", "jsonlite"),
    )


if __name__ == "__main__":
    main()
