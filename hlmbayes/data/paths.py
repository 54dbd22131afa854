"""Paths as people give them, and what a file is by its first bytes, whatever its name ends in."""

from __future__ import annotations

import os
from pathlib import Path

EQUATION_FILES = (".txt", ".eq")
MODEL_FILES = (".hlm", *EQUATION_FILES)
KINDS = (  # the first bytes, the endings they belong to, what else such a file is
    (
        b"pk\x03\x04",
        (".xlsx", ".xlsm", ".xlsb", ".ods"),
        "zipped: unzip it (workbooks of Excel end in .xlsx)",
    ),
    (b"\x1f\x8b", (), "compressed by gzip: unpack it"),
    (b"\xd0\xcf\x11\xe0", (".xls", ".xlsx"), "an old workbook of Excel: let its name end in .xls"),
    (b"%pdf-", (), "a PDF: export the data, not the page"),
    (b"$fl", (".sav", ".zsav"), "a data file of SPSS: let its name end in .sav"),
    (b"<stata_dta>", (".dta",), "a data file of Stata: let its name end in .dta"),
    (b"par1", (".parquet",), "a Parquet file: let its name end in .parquet"),
    *(
        (mark, (), "a web page, as some programs make for Excel: open it there and save it as .xlsx")
        for mark in (b"<html", b"<!doctype", b"<table", b"<?xml", b"<meta", b"<style")
    ),
)
OTHERS = {  # formats that are not read, by ending
    ".mdm": "It holds both levels: give it alone, hlmbayes.read('x.mdm') or --level1 x.mdm.",
    ".hlm": "It is a command file: hlmbayes run takes it.",
    ".mdmt": "It says which files the data are in (l1fname:, l2fname:): name those.",
    ".ssm": "It is of HLM 5 or before: give the data files it was made from.",
    **dict.fromkeys((".zip", ".gz", ".7z", ".rar"), "Unpack it, and give the file that is in it."),
    **dict.fromkeys((".rds", ".rdata", ".rda"), "In R, write.csv(data, 'data.csv') makes one."),
    **dict.fromkeys(
        (".txt", ".dat", ".tab", ".asc"),
        "Where commas, semicolons or tabs part its columns and their names stand in the first line, let its "
        "name end in .csv.",
    ),
}


def given_path(source: str | os.PathLike[str]) -> Path:
    """Give a path without the quotes Windows copies with it or blanks around it; ~ is the user's folder."""
    text = os.fspath(source)
    path = Path(text.strip().strip('"') if isinstance(source, str) else text)
    try:
        return path.expanduser()
    except RuntimeError:  # ~name of nobody
        return path


def what_it_is(start: bytes, suffix: str) -> str:
    """Say what a file is by its first bytes, where its name says otherwise; "" where they do not tell."""
    start = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    for mark, endings, what in KINDS:
        if start.lower().startswith(mark):
            return "" if suffix in endings else what
    is_text = all(byte >= 32 or byte in b"\r\n\t" for byte in start) and suffix not in (".csv", ".tsv")
    return "text: let its name end in .csv" if start and is_text else ""
