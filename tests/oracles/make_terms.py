"""terms.json: lme4's and lm's fits of HSB with factors, products, powers, polynomials and splines.

python make_terms.py [FOLDER]
"""

from common import folder_argument, hsb, run_r, save

NAMES = ("mathach", "ses", "female", "minority", "size", "pracad", "disclim", "sector")


def main():
    data = hsb(folder_argument())
    found = run_r("terms.R", {}, id=data["id"], **{name: data[name] for name in NAMES})
    content = {
        "what": "REML optima (lme4, bobyqa to 1e-10): deviance, fixed effects in lmer's order, tau, sigma2. "
        "bases: the columns of R's poly and bs, and lm's fitted values, on 40 rows (`rows`, from 1). track "
        "is ses cut at -0.5 and 0.5, with the unused level none; climate is disclim cut at -0.5 and 0.5 "
        "(good, usual, bad). poly and bs of level-2 variables are over the schools.",
        **found,
    }
    save("terms.json", "make_terms.py (terms.R)", content, ("lme4", "jsonlite"))


if __name__ == "__main__":
    main()
