"""Time hlmbayes on one case: python -m tests.bench.tool_hlmbayes FOLDER MODEL START REPEATS; prints JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import hlmbayes as hlm
from hlmbayes.data.two_level import TwoLevelData

from .cases import MODELS, load, rss


@dataclass(frozen=True)
class Way:
    """What is timed, given what is made before each time and not timed."""

    work: Callable[[Any], Any]
    given: Callable[[], Any] = lambda: None


def starts(case: dict[str, np.ndarray], name: str) -> dict[str, Way]:
    """Give the ways to a fit, and what is compared with them."""
    import pandas as pd

    text = MODELS[name]
    model, other = hlm.Model(text), hlm.Model(MODELS["model 3" if name == "model 4" else "model 4"])
    unit = case["id"].astype(np.int64)
    level1 = {"id": unit, "y": case["y"], "x": case["x"]}
    level2 = {"id": np.arange(len(case["w1"])), "w1": case["w1"], "w2": case["w2"]}
    frame1, frame2 = pd.DataFrame(level1), pd.DataFrame(level2)
    data: TwoLevelData = hlm.read(level1, level2, id="id")
    moments = hlm.moments(data, model=model)

    def with_errors(fit: Any) -> Any:
        _ = fit.vcov, fit.se_tau, fit.se_sigma2
        return fit

    def from_frames(_: None) -> Any:
        return hlm.Model(text).fit(hlm.read(frame1, frame2, id="id"))

    def fitted() -> Any:
        rows = hlm.read(frame1, frame2, id="id")
        other.fit(rows)
        return rows

    return {
        "arrays": Way(lambda _: model.fit(hlm.read(level1, level2, id="id"))),
        "arrays, SE": Way(lambda _: with_errors(model.fit(hlm.read(level1, level2, id="id")))),
        "frames": Way(from_frames),
        "second": Way(lambda rows: hlm.Model(text).fit(rows), fitted),
        "one pass": Way(lambda _: [case["y"].sum(), case["x"].sum(), unit.sum()]),
        "rows -> moments": Way(lambda rows: hlm.moments(rows, model=model), lambda: replace(data)),
        "moments": Way(lambda _: model.fit(moments)),
    }


def main() -> None:
    """Time one way; the median is the caller's."""
    folder, model, start, repeats = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    way = starts(load(folder), model)[start]
    given = way.given()
    before, seconds = rss(), []
    result = way.work(given)  # what is imported at the first use is not the fit's
    peak = rss("VmHWM") - before
    for _ in range(repeats):
        given = way.given()
        clock = time.perf_counter()
        result = way.work(given)
        seconds.append(time.perf_counter() - clock)
    report: dict[str, Any] = {"seconds": seconds, "peak": peak}
    if hasattr(result, "tau"):
        report |= {"tau": np.asarray(result.tau).tolist(), "sigma2": result.sigma2}
        report |= {"converged": result.converged, "messages": list(result.warnings)}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
