"""Time another Python package on one case: python tool_python.py FOLDER FORMULA TOOL REPEATS; prints JSON.

Run by the interpreter that has the package; needs nothing of hlmbayes.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd


def frame(folder):
    columns = {name: np.fromfile(folder / f"{name}.bin") for name in ("id", "y", "xc", "w1", "w2")}
    unit = columns["id"].astype(int)
    columns |= {"id": unit, "w1": columns["w1"][unit], "w2": columns["w2"][unit]}
    return pd.DataFrame(columns)


def rss(which):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(which))


def by_statsmodels(formula, data):
    import statsmodels.formula.api as smf

    return as_statsmodels(smf.mixedlm, formula, data)


def as_statsmodels(mixedlm, formula, data):
    fixed = formula.split(" + (")[0]
    fit = mixedlm(fixed, data, groups="id", re_formula="~xc").fit(reml=True)
    return np.asarray(fit.cov_re), float(fit.scale), bool(fit.converged)


def by_mixedlm(formula, data):
    import mixedlm

    fit = mixedlm.lmer(formula, data)
    return np.asarray(fit.VarCorr().get_cov("id")), float(fit.sigma) ** 2, bool(fit.converged)


def by_mixedlm_rs(formula, data):
    import mixedlm_rs

    return as_statsmodels(mixedlm_rs.mixedlm, formula, data)


def by_lme_python(formula, data):
    import lme_python

    fit = lme_python.lmer(formula, data)
    a, b, c = fit.theta
    root = np.array([[a, 0.0], [b, c]])
    return fit.sigma2 * root @ root.T, float(fit.sigma2), bool(fit.converged)


def by_bambi(formula, data):
    import bambi as bmb

    model = bmb.Model(formula.replace("1 + xc | id", "xc | id"), data)
    result = model.fit(draws=1000, tune=1000, chains=2, cores=2, random_seed=1, progressbar=False)
    post = result.posterior
    sd = [float(post[name].median()) for name in ("1|id_sigma", "xc|id_sigma")]
    return np.diag(np.square(sd)), float(post["sigma"].median()) ** 2, None


def main():
    folder, formula, tool, repeats = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    run = globals()[f"by_{tool}"]
    data = frame(folder)
    __import__(tool)
    before, seconds = rss("VmRSS"), []
    for k in range(repeats + (tool != "bambi")):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            clock = time.perf_counter()
            tau, sigma2, converged = run(formula, data)
            seconds.append(time.perf_counter() - clock)
        if k == 0 and tool != "bambi" and seconds[0] < 30:
            seconds.clear()  # the first run imports and compiles
        elif k == 0:
            break
    said = sorted({str(w.message).splitlines()[0] for w in caught if "onverge" in str(w.message)})
    report = {"seconds": seconds, "peak": rss("VmHWM") - before, "tau": np.asarray(tau).tolist()}
    print("\n" + json.dumps(report | {"sigma2": sigma2, "converged": converged, "messages": said}))


if __name__ == "__main__":
    main()
