"""A report as a part of the window's page, which has the reports' style sheet already and allows no other."""

from __future__ import annotations

import re


def part_of(page: str) -> str:
    """The main element of a page, or a part as it is, without style elements."""
    found = re.search(r"<main\b[^>]*>(.*)</main>", page, re.DOTALL)
    inside = f'<div class="hlmbayes">{found[1]}</div>' if found else page
    return re.sub(r"<style>.*?</style>", "", inside, flags=re.DOTALL)
