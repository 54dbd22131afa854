"""Can these draws be used? R-hat, effective draws, divergences, E-BFMI, k-hat: one verdict in words.

Limits: R-hat 1.01 and 100 effective draws a chain (Vehtari, Gelman, Simpson, Carpenter & Buerkner 2021,
Bayesian Analysis 16, 667); E-BFMI 0.3 (Betancourt 2016); k-hat 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..labels import Sentence
from ..sampling.direct import KHAT_LIMIT
from .mixing import Mixing

RHAT_LIMIT = 1.01
ESS_PER_CHAIN = 100
BFMI_LIMIT = 0.3


@dataclass(frozen=True, slots=True, repr=False)
class Convergence(Sentence):
    """The verdict: ``ok``, the ``problems`` in words, and the figures they rest on."""

    ok: bool
    problems: tuple[str, ...]
    max_r_hat: float
    min_ess_bulk: float
    min_ess_tail: float
    divergences: int
    min_bfmi: float
    khat: float

    def __str__(self) -> str:
        # one chain has no R-hat
        figures = "" if np.isnan(self.max_r_hat) else f"largest R-hat {self.max_r_hat:.4f}, "
        figures += (
            f"fewest effective draws {self.min_ess_bulk:.0f} (bulk) and {self.min_ess_tail:.0f} (tail), "
        )
        if np.isfinite(self.khat):
            figures += f"k-hat {self.khat:.2f}"
        else:
            figures += f"{self.divergences} divergences, lowest E-BFMI {self.min_bfmi:.2f}"
        if self.ok:
            return f"The draws can be used: {figures}."
        return "DO NOT USE these draws: " + "; ".join(self.problems) + f" ({figures})."


def convergence(names: Sequence[str], mixing: Mixing, chains: int, stats: Any, khat: float) -> Convergence:
    """Judge draws by how the parameters of such names mix, the sampler's statistics, its k-hat or nan."""
    checks = mixing._asdict()
    worst = {
        key: {name: float(v) for name, v in zip(names, checks[key], strict=True) if np.isfinite(v)}
        for key in ("r_hat", "ess_bulk", "ess_tail")
    }
    divergences = int(np.sum(stats["diverging"])) if "diverging" in stats else 0
    bfmi = _bfmi(np.asarray(stats["energy"])) if "energy" in stats else float("nan")
    # independent draws agree but for chance: what they need is to be many, and k-hat
    independent = np.isfinite(khat)
    problems = [*([] if independent else _rhat(worst["r_hat"])), *_ess(worst, chains)]
    if divergences:
        problems.append(
            f"{divergences} divergent transitions: part of the posterior was not reached. "
            "Use narrower priors or the direct sampler"
        )
    if bfmi < BFMI_LIMIT:
        problems.append(f"E-BFMI {bfmi:.2f} is below {BFMI_LIMIT}: the tails were explored too slowly")
    if khat > KHAT_LIMIT:
        problems.append(f"k-hat {khat:.2f} is above {KHAT_LIMIT}: few points carry all the weight. Use NUTS")
    return Convergence(
        not problems, tuple(problems), max(worst["r_hat"].values(), default=np.nan),
        min(worst["ess_bulk"].values(), default=np.nan), min(worst["ess_tail"].values(), default=np.nan),
        divergences, bfmi, khat,
    )  # fmt: skip


def _rhat(values: dict[str, float]) -> list[str]:
    bad = {name: v for name, v in values.items() if v > RHAT_LIMIT}
    if not bad:
        return []
    named = ", ".join(f"{name} {v:.3f}" for name, v in sorted(bad.items(), key=lambda item: -item[1])[:3])
    return [f"the chains do not agree (R-hat above {RHAT_LIMIT}: {named}). Draw more, with more tuning"]


def _ess(worst: dict[str, dict[str, float]], chains: int) -> list[str]:
    least, problems = ESS_PER_CHAIN * chains, []
    for key, part in (("ess_bulk", "centre"), ("ess_tail", "tails")):
        bad = {name: v for name, v in worst[key].items() if v < least}
        if bad:
            name = min(bad, key=lambda n: bad[n])
            few = f"only {bad[name]:.0f} effective draws for the {part} of {name}"
            problems.append(f"{few}, wanted {least}. Draw more")
    return problems


def _bfmi(energy: np.ndarray) -> float:
    """Give the lowest E-BFMI of the chains: mean squared change of the energy over its variance."""
    change = np.mean(np.diff(energy, axis=1) ** 2, axis=1)
    return float(np.min(change / np.var(energy, axis=1)))
