"""Does the effect of ses vary between schools beyond what sector and meanses explain?

The slope variance of model 4 (intercepts and slopes as outcomes, High School and Beyond) is the number on
which programs disagree: HLM stops its iterations at 0.149, the REML optimum is 0.101, and a posterior says
that nearly any small value will do. This shows all three, and what the posterior owes to its prior.

    python examples/bayesian_sensitivity.py [FOLDER]      writes tables (CSV) and figures (PNG) to FOLDER
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import pandas as pd

import hlmbayes as hlm

PRIORS = {
    "default: half-t(3), scale 10.4": hlm.Priors(),
    "half-t(3), scale 1": hlm.Priors(sd={"b1": hlm.HalfT(3, 1.0)}),
    "half-normal, scale 0.5": hlm.Priors(sd={"b1": hlm.HalfNormal(0.5)}),
    "half-Cauchy, scale 1": hlm.Priors(sd={"b1": hlm.HalfCauchy(1.0)}),
    "exponential, mean 1": hlm.Priors(sd={"b1": hlm.Exponential(1.0)}),
    "inverse-gamma(0.01, 0.01) on tau": hlm.Priors(sd={"b1": hlm.InverseGamma(0.01, 0.01)}),
    "inverse-Wishart(2, I) on tau": hlm.Priors(tau=hlm.InverseWishart(2, [[1.0, 0.0], [0.0, 1.0]])),
}
SHOWN = ("sd[b1]", "tau[b1,b1]", "corr[b1,b0]", "g11")


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    data = hlm.datasets.hsb()
    model = hlm.Model("""
        mathach = b0 + b1*group(ses) + r
        b0 = g00 + g01*sector + g02*meanses + u0
        b1 = g10 + g11*sector + g12*meanses + u1
    """)
    optimum, early = model.fit(data), model.fit(data, algorithm="hlm")

    result = hlm.sensitivity(model, data, PRIORS, seed=1)
    post = result.first
    beside = post.compare(optimum).frame()
    beside.insert(0, "hlm_stop", post.compare(early).frame().iloc[:, 0])
    print("HLM's early stop, the REML optimum, and the posterior under the default priors\n")
    print(beside.to_string(float_format="{:.4g}".format))
    beside.to_csv(folder / "comparison.csv")

    table = result.frame(SHOWN)
    print("\nThe same under other priors of the slope's standard deviation\n")
    print(table.to_string(float_format="{:.4g}".format))
    table.to_csv(folder / "sensitivity.csv")
    result.plot(("sd[b1]", "tau[b1,b1]"), fit=[optimum, early], path=folder / "sensitivity.png")
    hlm.plots.tau_pair(post, optimum).savefig(folder / "tau.png")

    print("\nDoes the slope vary at all?\n")
    names = [name for name, prior in PRIORS.items() if prior.tau is None]
    zero = pd.DataFrame({name: result.posteriors[name].variance_is_zero("b1") for name in names}).T
    print(zero.to_string(float_format="{:.4g}".format))
    zero.to_csv(folder / "zero_variance.csv")

    print("\nWithout refitting: how fast the posterior moves with the weight of prior and likelihood\n")
    scaled = hlm.power_scale(post)
    print(scaled.to_string(float_format="{:.3f}".format))
    scaled.to_csv(folder / "power_scaling.csv")
    print(f"\nTables and figures are in {folder}/")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path("bayesian_sensitivity"))
    main(parser.parse_args().folder)
