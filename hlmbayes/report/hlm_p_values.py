"""p-values as HLM 6.08 computes them: approximations, some of which show in the third decimal.

All 89 p-values printed in the seminar's listings follow from one normal tail, Abramowitz & Stegun
(1964) 26.2.18, whose error is up to 2.5e-4: a t of 3.108 on 157 d.f. prints 0.003 where the p-value is
0.0022. They serve HLM's listing only; every other p-value of the package is accurate.

How a t becomes a z is known from 157 d.f. upwards, where several formulas agree. The one taken here is off by
0.001 at 22 d.f. and 0.08 at 2, so that where d.f. are few a t-ratio gets its accurate p-value instead. For
chi-squares a p-value with 1 d.f. and one with 7 are known.
"""

from __future__ import annotations

import math

from scipy.special import stdtr

KNOWN_FROM = 100  # d.f. of a t-ratio: below, HLM's own way is not known and the formula is too far off
TAIL = (0.196854, 0.115194, 0.000344, 0.019527)  # A&S 26.2.18


def normal_tail(z: float) -> float:
    """Give P(Z > z) by Abramowitz & Stegun 26.2.18."""
    if z < 0:
        return 1.0 - normal_tail(-z)
    polynomial = 1.0 + z * (TAIL[0] + z * (TAIL[1] + z * (TAIL[2] + z * TAIL[3])))
    return 0.5 / polynomial**4


def z_p_value(z: float) -> float:
    """Give HLM's two-sided p-value of a z-ratio."""
    return 2.0 * normal_tail(abs(z))


def t_p_value(t: float, df: float) -> float:
    """Give HLM's two-sided p-value of a t-ratio, by A&S 26.7.8; the accurate one where d.f. are few."""
    if df < KNOWN_FROM:
        return float(2.0 * stdtr(df, -abs(t)))
    return z_p_value(abs(t) * (1.0 - 1.0 / (4.0 * df)) / math.sqrt(1.0 + t * t / (2.0 * df)))


def chi2_p_value(chi2: float, df: float) -> float:
    """Give HLM's p-value of a chi-square: Wilson & Hilferty's cube root turns it into a z."""
    spread = 2.0 / (9.0 * df)
    return normal_tail(((chi2 / df) ** (1.0 / 3.0) - (1.0 - spread)) / math.sqrt(spread))
