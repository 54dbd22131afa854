"""The section "Notes by hlmbayes": what HLM does not say, after HLM's tables and clearly apart from them."""

from __future__ import annotations

import textwrap

from .tables import NoteGroup, Optimum, Tables

BAR = " " + "=" * 77
HEADING = " Notes by hlmbayes (not part of HLM's listing)"
SAME_DEVIANCE = 5e-6
ANOTHER_CONSTANT = 0.1  # between deviances: more than the digits of pi that HLM has make
OPTIMUM_HEADING = "HLM's answer and the optimum"


def notes_section(tables: Tables) -> list[str]:
    """Return the lines of the section; it is there even when there is nothing unusual to say."""
    lines = [BAR, HEADING, BAR]
    for group in note_groups(tables):
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
        reached = f"The iterations reached the {method} optimum: no tau and sigma squared fit better."
        return (reached, *closing)
    why = (
        "HLM stops when the likelihood hardly changes any more, which here is"
        if tables.converged
        else "The iterations were stopped at their limit, which is"
    )
    return (
        f"{why} before the {method} optimum: at the optimum the deviance is {gain:.6f} lower. "
        "Above are HLM's numbers; below, both. --algorithm exact prints the whole listing at the optimum.",
        *closing,
    )


def _group(group: NoteGroup) -> list[str]:
    lines = [f" {'WARNING: ' if group.warning else ''}{group.heading}"]
    for sentence in group.sentences:
        lines += textwrap.wrap(f"   {sentence}", 78, subsequent_indent="   ", break_long_words=False)
    return lines


def _optimum_table(optimum: Optimum) -> list[str]:
    width = max(len(row.label) for row in optimum.rows)
    lines = [f"   {'':<{width}}  {'HLM path':>15}  {'optimum':>15}  {'difference':>12}"]
    for row in optimum.rows:
        d = 6 if row.label == "Deviance" else 5
        numbers = f"{row.here:>15.{d}f}  {row.optimum:>15.{d}f}  {row.here - row.optimum:>z12.{d}f}"
        lines.append(f"   {row.label:<{width}}  {numbers}")
    return lines
