"""Make hlmbayes/datasets/hsb1.sav and hsb2.sav from two csv files.

    python scripts/make_hsb.py FOLDER

FOLDER holds hsb1.csv (id, minority, female, ses, mathach) and hsb2.csv (id, size, sector, pracad,
disclim, himinty, meanses): High School and Beyond 1982, the subset of Raudenbush and Bryk.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pyreadstat

SOURCE = [  # SPSS keeps notes as lines of at most 80 characters
    "Source: U.S. National Center for Education Statistics, High School and Beyond,",
    "1982; subset of Raudenbush & Bryk, Hierarchical Linear Models (2nd ed., 2002).",
    "The same data: MathAchieve and MathAchSchool in R's nlme.",
]
LABELS = {
    "id": "School",
    "minority": "Student is of a minority (Black or Hispanic)",
    "female": "Student is female",
    "ses": "Socioeconomic status of the student",
    "mathach": "Mathematics achievement",
    "size": "School enrolment",
    "sector": "Sector of the school",
    "pracad": "Proportion of students in the academic track",
    "disclim": "Disciplinary climate of the school",
    "himinty": "School has more than 40 per cent minority enrolment",
    "meanses": "Mean SES of the school's students",
}
VALUE_LABELS = {
    "minority": {0: "other", 1: "minority"},
    "female": {0: "male", 1: "female"},
    "sector": {0: "public", 1: "Catholic"},
    "himinty": {0: "40 per cent or less", 1: "more than 40 per cent"},
}
FORMATS = {"id": "F4.0", "ses": "F8.3", "mathach": "F8.3", "size": "F5.0", "pracad": "F5.2"} | dict.fromkeys(
    ["disclim", "meanses"], "F8.3"
)
FORMATS |= dict.fromkeys(VALUE_LABELS, "F1.0")
MEASURES = dict.fromkeys([*VALUE_LABELS, "id"], "nominal")


def make(csv: Path, sav: Path, title: str) -> None:
    """Write one labelled SPSS file; every variable is numeric (float64), as SPSS stores it."""
    frame = pd.read_csv(csv).astype(float)
    pyreadstat.write_sav(
        frame,
        sav,
        file_label=title,
        note=SOURCE,
        column_labels={name: LABELS[name] for name in frame},
        variable_value_labels={
            n: {float(k): v for k, v in VALUE_LABELS[n].items()} for n in frame if n in VALUE_LABELS
        },
        variable_measure={name: MEASURES.get(name, "scale") for name in frame},
        variable_format={name: FORMATS[name] for name in frame},
        row_compress=True,
    )


def main() -> None:
    """Make both files from the folder given on the command line."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    target = Path(__file__).parent.parent / "hlmbayes" / "datasets"
    make(Path(sys.argv[1], "hsb1.csv"), target / "hsb1.sav", "High School and Beyond: students")
    make(Path(sys.argv[1], "hsb2.csv"), target / "hsb2.sav", "High School and Beyond: schools")


if __name__ == "__main__":
    main()
