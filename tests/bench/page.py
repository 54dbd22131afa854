"""docs/speed.md's table from the last run of the benchmark: python -m tests.bench.page."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

STORED = Path(__file__).with_name("speed.json")
PAGE = Path(__file__).parents[2] / "docs" / "speed.md"
START, END = "<!-- bench -->\n", "<!-- end of bench -->\n"
RATIOS = ("lmer", "mixedlm")  # how many times as long these take
READ = {"HSB model 4": "High School, model 4", "J = 100000": "4.5 million rows"}  # cases said in words
WAYS = (
    "data frames + equations -> Fit", "a second model on the same data -> Fit",
    "arrays -> Fit with all standard errors",
)  # fmt: skip


def table(found: dict[str, Any]) -> str:
    """Make Markdown of a run: where it was measured, and a line for each tool on each case."""
    about, results = found["machine"], found["results"]
    releases = ", ".join(f"{name} {release}" for name, release in about["versions"].items())
    where = f"{about['cores']} cores ({about['cpu']}), load {about['load']} at the start"
    heads = ["case", "tool", "seconds", *(f"{name} / it" for name in RATIOS), "peak MB", "above best", "says"]
    lines = [
        f"{about['date']}, {where}; {releases}.",
        "",
        f"| {' | '.join(heads)} |",
        "|---|---|" + "---:|" * (len(heads) - 3) + "---|",
    ]
    seconds = {(r["case"], r["tool"]): r["seconds"] for r in results}
    for r in results:
        times = [seconds.get((r["case"], name), math.nan) / r["seconds"] for name in RATIOS]
        cells = [r["case"], r["tool"], f"{r['seconds']:.4g}", *(_shown(t, ".3g") for t in times)]
        cells += [f"{r['peak']:.0f}", _shown(r["excess"], ".5f"), r["says"]]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _shown(value: float, form: str) -> str:
    return "" if math.isnan(value) else format(value, form)


def reading(found: dict[str, Any]) -> str:
    """Say in words how the ways to a fit compare with others on two cases."""
    seconds = {(r["case"], r["tool"]): r["seconds"] for r in found["results"]}
    lines = []
    for case, about in READ.items():
        lmer, mixedlm = (seconds[case, name] for name in RATIOS)
        for way in WAYS:
            took = seconds[case, way]
            lines.append(
                f"- {about}, {way.replace(' -> ', ' to ')}: {took:.2g} s, {lmer / took:.0f} times faster "
                f"than lmer, {mixedlm / took:.1f} times faster than mixedlm."
            )
    passes = took / seconds[case, "one pass"]
    return "\n".join(
        [*lines, f"- The last of these takes as long as {passes:.0f} readings of its three columns."]
    )


def written(page: str, found: dict[str, Any]) -> str:
    """Give the page with the table of a run, and what it says."""
    before, _, rest = page.partition(START)
    return f"{before}{START}{table(found)}\n\n{reading(found)}\n{END}{rest.partition(END)[2]}"


def main() -> None:
    """Write the page."""
    text = written(PAGE.read_text(encoding="utf-8"), json.loads(STORED.read_text()))
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
