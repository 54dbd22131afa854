"""Marginal and conditional R2 of HSB models by R's performance -> r2.json."""

from common import folder_argument, hsb, run_r, save

EQUATIONS = {
    "mathach ~ 1 + (1 | id)": "mathach = b0 + r\nb0 = g00 + u0",
    "mathach ~ ses_c * (sector + meanses) + (1 + ses_c | id)": (
        "mathach = b0 + b1*group(ses) + r\nb0 = g00 + g01*sector + g02*meanses + u0\n"
        "b1 = g10 + g11*sector + g12*meanses + u1"
    ),
    "mathach ~ ses + female + sector + (1 + ses | id)": (
        "mathach = b0 + b1*ses + b2*female + r\nb0 = g00 + g01*sector + u0\nb1 = g10 + u1\nb2 = g20"
    ),
}

if __name__ == "__main__":
    data = hsb(folder_argument())
    columns = {name: data[name] for name in ("mathach", "ses", "female", "sector", "meanses", "id")}
    columns["ses_c"] = data["group(ses)"]
    found = run_r("r2.R", {"formulas": list(EQUATIONS)}, **columns)
    models = {
        formula: {"equations": text} | case
        for (formula, text), case in zip(EQUATIONS.items(), found, strict=True)
    }
    save("r2.json", "make_r2.py, r2.R", {"models": models}, ["lme4", "performance"])
