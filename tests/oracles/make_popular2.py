"""Writes popular2.json: moments of the units of popular2.mdm and what HLM 7 printed of it.

    python make_popular2.py popular2.sav

The data are those of Hox, Moerbeek & van de Schoot (2018), chapter 2, from the book's site; the numbers are
transcribed by hand from its PopularHLM7.html, as strings. The file itself stays outside.
"""

import sys

import numpy as np
import pyreadstat
from common import save

PRINTED = {
    "source": "PopularHLM7.html: HLM2.EXE 7.00, full maximum likelihood",
    "iteration": 9,
    "sigma2": "0.55181",
    "se_sigma2": "0.01837",
    "tau": [["1.28143", "-0.18475"], ["-0.18475", "0.03392"]],
    "se_tau": [["0.28119", "0.04655"], ["0.04655", "0.00833"]],
    "tau_corr": "-0.886",
    "reliability": ["0.633", "0.564"],
    "loglik": "-2.406403E+003",
    "deviance": "4812.806967",
    "n_parameters": 8,
    "fixed": [
        ["INTRCPT2", "0.738568", "0.195209", "3.783", "98"],
        ["TEXP", "0.090813", "0.008598", "10.563", "98"],
        ["INTRCPT2", "0.452641", "0.024478", "18.491", "99"],
        ["INTRCPT2", "1.252470", "0.036554", "34.263", "1799"],
    ],
    "fixed_robust": [
        ["INTRCPT2", "0.738568", "0.199352", "3.705", "98"],
        ["TEXP", "0.090813", "0.008711", "10.425", "98"],
        ["INTRCPT2", "0.452641", "0.024561", "18.430", "99"],
        ["INTRCPT2", "1.252470", "0.034903", "35.884", "1799"],
    ],
    "variance_components": [
        ["1.13200", "1.28143", "98", "288.64116"],
        ["0.18417", "0.03392", "99", "237.61747"],
        ["0.74284", "0.55181"],
    ],
}
NAMES = ["EXTRAV", "SEX", "POPULAR"]

frame, _ = pyreadstat.read_sav(sys.argv[1])
x = frame[[name.lower() for name in NAMES]].to_numpy(float)
ids, unit = np.unique(frame["class"].to_numpy(float), return_inverse=True)
units = [x[unit == j] for j in range(len(ids))]
about = [rows - rows.mean(axis=0) for rows in units]
content = {
    "columns": NAMES,
    "ids": ids,
    "n": [len(rows) for rows in units],
    "mean": [rows.mean(axis=0) for rows in units],
    "sscp": [(rows.T @ rows)[np.tril_indices(3)] for rows in about],
    "level2": [frame["texp"].to_numpy(float)[unit == j][0] for j in range(len(ids))],
    "printed": PRINTED,
}
save("popular2.json", "make_popular2.py", content)
