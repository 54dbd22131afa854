"""Time hlmbayes on one case: python -m tests.bench.tool_hlmbayes FOLDER MODEL START REPEATS; prints JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import hlmbayes as hlm
from hlmbayes.data.two_level import TwoLevelData

from .cases import MODELS, load, rss


def starts(case: dict[str, np.ndarray], text: str) -> dict[str, Callable[[], Any]]:
    """Give the ways to a fit, and what is compared with them."""
    model = hlm.Model(text)
    unit = case["id"].astype(np.int64)
    level1 = {"id": unit, "y": case["y"], "x": case["x"]}
    level2 = {"id": np.arange(len(case["w1"])), "w1": case["w1"], "w2": case["w2"]}

    def with_errors(fit: Any) -> Any:
        _ = fit.vcov, fit.se_tau, fit.se_sigma2
        return fit

    def from_frames() -> Any:
        return hlm.Model(text).fit(hlm.read(frame1, frame2, id="id"))

    ways: dict[str, Callable[[], Any]] = {
        "arrays": lambda: model.fit(hlm.read(level1, level2, id="id")),
        "arrays, SE": lambda: with_errors(model.fit(hlm.read(level1, level2, id="id"))),
        "frames": from_frames,
        "one pass": lambda: [case["y"].sum(), case["x"].sum(), unit.sum()],
    }
    import pandas as pd

    frame1, frame2 = pd.DataFrame(level1), pd.DataFrame(level2)
    ways["rows -> moments"] = lambda: hlm.moments(data, model=model)
    data: TwoLevelData = hlm.read(level1, level2, id="id")
    moments = hlm.moments(data, model=model)
    ways["moments"] = lambda: model.fit(moments)
    return ways


def main() -> None:
    """Time one way; the median is the caller's."""
    folder, model, start, repeats = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    way = starts(load(folder), MODELS[model])[start]
    before, seconds = rss(), []
    result = way()  # what is imported at the first use is not the fit's
    peak = rss("VmHWM") - before
    for _ in range(repeats):
        clock = time.perf_counter()
        result = way()
        seconds.append(time.perf_counter() - clock)
    report: dict[str, Any] = {"seconds": seconds, "peak": peak}
    if hasattr(result, "tau"):
        report |= {"tau": np.asarray(result.tau).tolist(), "sigma2": result.sigma2}
        report |= {"converged": result.converged, "messages": list(result.warnings)}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
