"""What notes and errors call by options of the command line or of Python, in the words of the page."""

from __future__ import annotations

import re
from functools import partial

OPTIMUM, HLM6 = "the algorithm “The optimum” in Settings", "the algorithm “HLM 6” in Settings"
CODES, UNITS = "“Missing codes” in Data", "“Units without a level-2 value” in Data"
NUTS = "the sampler “NUTS”"
INSTEAD = "save the equations as text under Code"
WORDS = {  # each a pattern, the longer first
    r', in Python algorithm="exact"': "",
    r"\badd\s+--algorithm\s+exact\b": f"choose {OPTIMUM}",
    r'--algorithm\s+exact\b|algorithm="exact"': OPTIMUM,
    r'--algorithm\s+hlm\b|algorithm="hlm"': HLM6,
    r"--hlm\s+6\b": HLM6,
    r'\bFit both with method="ML" to': "Run both with the method “Full maximum likelihood” in Settings to",
    r"\bFit both with the same algorithm\b": "Run both with the same algorithm, in Settings,",
    r"numit: in the command file": "“Iterations at most” in Settings",
    r"\(deviance:, df:\)": "(“Compare with deviance” in Settings)",
    r"\bis in [^;]*; put one there, or ": "was opened with it; ",
    r"\bsay where the data are: --level1 FILE --level2 FILE --id NAME": "open it with its data files",
    r"(; or say it: |; )add --level1 FILE": "; open it with its data files",
    r"\bsay missing=\[.*?\] \(--missing ([^()]+)\)": rf"write \1 at {CODES}",
    r"\bmissing={.*?} \(--missing ([^()]+)\)": r"\1",
    r"\bas missing=\s+\(--missing\) says": f"as said at {CODES}",
    r"missing=\s+\(--missing\)": f"at {CODES}",
    r"\bsheet=\s+\(--sheet\) chooses another": "“Sheet” in Data chooses another",
    r"\bSay sheet=\s+\(--sheet\)": "Choose it at “Sheet” in Data",
    r"percent=True\s+\(--percent\) reads": "“45 % is read as 45” in Data reads",
    r"\(--missing\)": f"({CODES})",
    r"\(--missing ([^()]+)\)": rf"({CODES}: \1)",
    r'\bsay level2_missing="drop" \(--drop-incomplete\)': f"choose “are left out” at {UNITS}",
    r"level2_missing='drop' \(--drop-incomplete\) says": f"{UNITS} says",
    r"\(--drop-incomplete\)": f"({UNITS})",
    r"\bsay thousands=\S+ \(--thousands[^()]*\)": "choose it at “What parts thousands” in Data",
    r"\b(say )?decimal=\S+ \(--decimal[^()]*\)": "choose it at “Decimal mark” in Data",
    r"\bGive the column that identifies the level-2 units as id= \(--id\)":
        "Choose “Variable that says the unit” in Data",
    r"\bRead them with hlm\.read_imputed\(.*?\) \(--imputed-by [^()]+\)":
        "Choose it at “Column that numbers imputed data sets” in Settings",
    r"\bsay trials= for successes in trials":
        "choose Binomial and its trials in Settings for successes in trials",
    r"; hlmbayes run, table and plot take quasi-likelihood": "",
    r"; at= gives it elsewhere \(--icc NAME=VALUE\)": "",
    r"; at= takes other values": "",
    r"\s*bootstrap=1000 gives one by simulation\.": "",
    r"\(in Python fit\.bootstrap\(1000\) gives draws of tau\)": "(“Simulate” gives draws of tau)",
    r"predict\(\), means\(\) and slopes\(\) give that": "the figures of predicted lines show that",
    r"\btake overdispersed= out": "take the tick at “overdispersed” away",
    r"hold the others with at=": "hold the others at values",
    r"robust=\S+ is for normal outcomes: use True \(--robust HLM\), the":
        "“CR2” is for normal outcomes: choose “robust, as HLM”, the",
    r", or use robust=False": "",
    r"Use robust=False, or leave it out": "Leave it out",
    r'sampler="nuts"(, marginal=False)?': NUTS,
    r'sampler="direct"': "independent draws",
    r", or fit with weights=hlm\.Weights\(\.\.\.\)": ", or run the model with them",
    r'save the (model|equations) as text( instead)?, model\.save\("model\.txt", data\)': INSTEAD,
    r"Save its equations as text instead, model\.equations\(\)": INSTEAD.replace("save", "Save"),
}  # fmt: skip


QUOTES = {'"': '(?:"|&quot;|&#34;)', "'": "(?:'|&#x27;|&#39;)"}  # as a page writes them, too


PATTERNS = {
    re.compile("".join(QUOTES.get(letter, letter) for letter in option)): words
    for option, words in WORDS.items()
}


def in_page_words(text: str) -> str:
    """Give a text of the window, which names no option of the command line or of Python that the page has."""
    for pattern, words in PATTERNS.items():
        text = pattern.sub(partial(_in_place, words), text)
    return text


def _in_place(words: str, found: re.Match[str]) -> str:
    """Give the words in the place of what was found; where a sentence begins with them, a capital does."""
    said = found.expand(words)
    begins = re.search(r"[.?!]\s+\Z", found.string[max(0, found.start() - 100) : found.start()])
    return said[:1].upper() + said[1:] if begins else said


def part_of(page: str) -> str:
    """The main element of a report's page, or a part as it is, without style: the window's page has it."""
    found = re.search(r"<main\b[^>]*>(.*)</main>", page, re.DOTALL)
    inside = f'<div class="hlmbayes">{found[1]}</div>' if found else page
    return re.sub(r"<style>.*?</style>", "", inside, flags=re.DOTALL)
