"""Adjusted means and simple slopes of HSB models by R's emmeans -> predictions.json."""

from common import folder_argument, hsb, run_r, save

EQUATIONS = {
    "one": "mathach = b0 + b1*group(ses) + b2*C(minority) + r\nb0 = g00 + g01*C(sector) + g02*meanses + u0\n"
    "b1 = g10 + g11*C(sector) + g12*meanses + u1\nb2 = g20",
    "two": "mathach = b0 + b1*ses + b2*ses^2 + b3*C(minority) + r\nb0 = g00 + g01*C(sector) + u0\n"
    "b1 = g10\nb2 = g20\nb3 = g30",
}

if __name__ == "__main__":
    data = hsb(folder_argument())
    columns = {name: data[name] for name in ("mathach", "ses", "minority", "sector", "meanses", "id")}
    columns["ses_c"] = data["group(ses)"]
    found = run_r("predictions.R", {}, **columns)
    save(
        "predictions.json",
        "make_predictions.py, predictions.R",
        {"equations": EQUATIONS} | found,
        ["lme4", "emmeans"],
    )
