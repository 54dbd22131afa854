"""The section "Notes by hlmbayes": what HLM does not say, after HLM's tables and clearly apart from them."""

from __future__ import annotations

import textwrap

from ..words import some
from .layout import Column, set_out
from .tables import NoteGroup, Optimum, Tables

BAR = " " + "=" * 77
HEADING = " Notes by hlmbayes (not part of HLM's listing)"
SAME_DEVIANCE = 5e-6
ANOTHER_CONSTANT = 0.1  # between deviances: more than the digits of pi that HLM has make
OPTIMUM_HEADING = "HLM's answer and the optimum"


def notes_section(tables: Tables) -> list[str]:
    """Return the lines of the section; it is there even when there is nothing unusual to say."""
    lines, labels = [BAR, HEADING, BAR], tables.header.labels
    named = NoteGroup("Variables", tuple(f"{name}: {label}" for name, label in labels))
    for group in (*note_groups(tables), *([named] if labels else [])):
        lines += ["", *_group(group)]
        if group.heading == OPTIMUM_HEADING and tables.optimum is not None:
            lines += ["", *_optimum_table(tables.optimum)]
    return lines


def note_groups(tables: Tables) -> tuple[NoteGroup, ...]:
    """Return every group of notes, the warnings first."""
    optimum = NoteGroup(OPTIMUM_HEADING, optimum_sentences(tables))
    groups = tables.notes if tables.optimum is None else (*tables.notes, optimum)
    return tuple(sorted(groups, key=lambda group: not group.warning))


def optimum_sentences(tables: Tables) -> tuple[str, ...]:
    """Say in words how HLM's answer stands to the optimum of the same criterion."""
    optimum = tables.optimum
    if optimum is None:
        return ()
    gain = optimum.deviance_here - optimum.deviance_optimum
    method = tables.header.method
    others = (
        f"Other programs (lme4, SAS, Stata) print this optimum's deviance as {optimum.true_deviance:.6f}: "
        "HLM leaves ln(2 pi) = 1.837877 out of it where the number of observations (under REML, less the "
        "number of fixed effects) is odd."
    )
    same = abs(optimum.true_deviance - optimum.deviance_optimum) < ANOTHER_CONSTANT
    closing = () if same else (others,)
    if gain < SAME_DEVIANCE:
        return (_reached(optimum, method), *closing)
    why = (
        "HLM stops when the likelihood hardly changes any more, which here is"
        if tables.converged
        else "The iterations were stopped at their limit, which is"
    )
    return (
        f"{why} before the {method} optimum: at the optimum the deviance is {gain:.6f} lower. "
        "The tables have HLM's numbers; below are both. --algorithm exact prints all of it at the optimum.",
        *closing,
    )


def _reached(optimum: Optimum, method: str) -> str:
    """Say that the iterations reached the optimum, or which of the numbers printed did not quite."""
    away = [row.label for row in optimum.rows if row.printed(row.here) != row.printed(row.optimum)]
    if not away:
        return f"The iterations reached the {method} optimum: no other tau and sigma squared fit better."
    return (
        f"The deviance is within {SAME_DEVIANCE:.6f} of the {method} optimum's, but the iterations stopped a "
        f"little before it: {some(away)} still differ{'s' if len(away) == 1 else ''} in the digits below."
    )


def _group(group: NoteGroup) -> list[str]:
    lines = [f" {'WARNING: ' if group.warning else ''}{group.heading}"]
    for sentence in group.sentences:
        lines += textwrap.wrap(
            f"   {sentence}", 78, subsequent_indent="   ", break_long_words=False, break_on_hyphens=False
        )
    return lines


def _optimum_table(optimum: Optimum) -> list[str]:
    width = max(len(row.label) for row in optimum.rows)
    cells = [(r.printed(r.here), r.printed(r.optimum), r.printed(r.here - r.optimum)) for r in optimum.rows]
    here, best, difference = zip(*cells, strict=True)
    heads, lines, _ = set_out(
        ["", f"   {'':<{width}}", *(f"   {row.label:<{width}}" for row in optimum.rows)],
        Column(("", "HLM path"), 17, here),
        Column(("", "optimum"), 17, best),
        Column(("", "difference"), 14, difference),
    )
    return [*heads[1:], *lines]
