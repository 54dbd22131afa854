"""What notes and errors call by options of the command line, in the words of the page."""

from __future__ import annotations

import re

OPTIMUM, HLM6 = "the algorithm “The optimum” in Settings", "the algorithm “HLM 6” in Settings"
WORDS = {  # the longer first
    r"\badd\s+--algorithm\s+exact\b": f"choose {OPTIMUM}",
    r"--algorithm\s+exact\b": OPTIMUM,
    r"--algorithm\s+hlm\b": HLM6,
    r"--hlm\s+6\b": HLM6,
    r"numit: in the command file": "“Iterations at most” in Settings",
    r"\(deviance:, df:\)": "(“Compare with deviance” in Settings)",
    r"\bsay where the data are: --level1 FILE --level2 FILE --id NAME": "open it with its data files",
    r"(; or say it: |; )add --level1 FILE": "; open it with its data files",
    r"\(--missing\)": "(“Missing codes” in Data)",
    r"\(--missing ([^()]+)\)": r"(“Missing codes” in Data: \1)",
    r"\(--drop-incomplete\)": "(“Units without a level-2 value” in Data)",
    r"; hlmbayes run, table and plot take quasi-likelihood": "",
}


def in_page_words(text: str) -> str:
    """Give a text of the window, in which no option of the command line is named that the page has."""
    for option, words in WORDS.items():
        text = re.sub(option, words, text)
    return text
