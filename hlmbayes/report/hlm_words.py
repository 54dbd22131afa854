"""What the listings of HLM 6 and of HLM 7 call the same things."""

from __future__ import annotations

from dataclasses import dataclass

from .tables import Header


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one version of HLM; those here are HLM 6.08's."""

    sigma2: str = "Sigma_squared"
    se_sigma2: str = "Standard Error of Sigma_squared"
    tau: str = "Tau"
    se_tau: str = "Standard Errors of Tau"
    likelihood: str = "likelihood function"
    error: str = "Error   "
    t_ratio: str = "T-ratio"
    df: str = "df"
    p_value: str = "P-value"
    small_effects: bool = False  # u0 and r, not U0 and R

    def effect(self, symbol: str) -> str:
        """Give the symbol of a random effect as it is written."""
        return symbol.lower() if self.small_effects else symbol


WORDS = {
    "6": Words(),
    "7": Words(
        "sigma^2", "Standard error of sigma^2", "tau", "Standard errors of tau", "log-likelihood function",
        "error   ", "t-ratio", "d.f.", "p-value", True,
    ),
}  # fmt: skip


def words_of(header: Header) -> Words:
    """Give the words of the version of HLM that a listing follows."""
    return WORDS[header.hlm]
