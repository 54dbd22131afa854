"""What the outcome of a model is given its level-1 equation: its distribution, the link, trials or exposure.

``logit(repeat) = b0 + b1*sex`` says it on the left side of the level-1 equation, ``family="binomial"`` where
a model is made; both end in an `OutcomeLaw`. Names are those of McCullagh & Nelder (1989).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ..errors import EstimationError
from .parts import LogSigma2, fail, same_name
from .symbols import quoted

LINKS = {  # of each family, the usual one first
    "normal": ("identity",),
    "bernoulli": ("logit", "probit", "cloglog"),
    "binomial": ("logit", "probit", "cloglog"),
    "poisson": ("log",),
    "ordinal": ("cumlogit",),
    "multinomial": ("mlogit",),
}
NAMES = {family: family for family in LINKS} | {"bernoulli": "Bernoulli", "poisson": "Poisson"}
SCALES = {  # what the linear predictor of each link is
    "logit": "log odds", "cumlogit": "log odds", "mlogit": "log odds", "probit": "probit of the probability",
    "cloglog": "log of the hazard", "log": "log of the expected count",
}  # fmt: skip
OF_LINK = {link: family for family, links in LINKS.items() for link in links}  # logit: binomial
_ALSO = {"gaussian": "normal"}
_OF_CATEGORIES = ("ordinal", "multinomial")
_ONE = {"ordinal": "an ordinal", "multinomial": "a multinomial"}
_SIZES = {"binomial": "trials", "poisson": "exposure"}  # what a row's size is called


@dataclass(frozen=True, slots=True)
class OutcomeLaw:
    """The distribution of the outcome about its linear predictor.

    Attributes
    ----------
    family : "normal", "bernoulli", "binomial", "poisson", "ordinal" or "multinomial"
    link : "identity", "logit", "probit", "cloglog", "log", "cumlogit" or "mlogit"
    size : str or None
        The variable with each row's number of trials (binomial) or its exposure (Poisson).
    overdispersed : bool
        The variance of a row is that of the family times a scale sigma2, which is estimated.
    """

    family: str = "normal"
    link: str = "identity"
    size: str | None = None
    overdispersed: bool = False

    @property
    def is_normal(self) -> bool:
        """Whether the outcome is normal about its linear predictor, with a residual r."""
        return self.family == "normal"

    @property
    def has_mean(self) -> bool:
        """Whether the link is taken of a mean, a probability or a rate."""
        return self.family != "normal" and self.family not in _OF_CATEGORIES

    @property
    def name(self) -> str:
        """The name of the distribution: "Bernoulli"."""
        return NAMES[self.family]

    @property
    def columns(self) -> tuple[str, ...]:
        """The variables it needs beside the outcome."""
        return () if self.size is None else (self.size,)

    @property
    def is_ordinal(self) -> bool:
        """Whether the outcome is one of several categories in an order, with cuts between them."""
        return self.family == "ordinal"

    @property
    def by_category(self) -> bool:
        """Whether each category of the outcome but the last has equations of its own."""
        return self.family == "multinomial"

    def left(self, outcome: str, category: str = "") -> str:
        """The left side of the level-1 equation: logit(passed, trials=tried), or of that of a category."""
        if self.is_normal:
            return quoted(outcome)
        if category:
            return f"{self.link}({quoted(outcome)} = {category})"
        options = [] if self.size is None else [f"{_SIZES[self.family]}={quoted(self.size)}"]
        options += ["overdispersed=yes"] if self.overdispersed else []
        return f"{self.link}({', '.join([quoted(outcome), *options])})"


NORMAL = OutcomeLaw()


class Asked(NamedTuple):
    """What is said of the outcome in one place; None where nothing is."""

    family: str | None = None
    link: str | None = None
    trials: str | None = None
    exposure: str | None = None
    overdispersed: bool | None = None

    def with_(self, other: Asked, where: str = "") -> Asked:
        """Both together; refuse what they say differently."""
        said, more = ({k: v for k, v in each._asdict().items() if v is not None} for each in (self, other))
        for name in said.keys() & more.keys():
            if said[name] != more[name]:
                fail(where, f"{name} is said twice, {said[name]} and {more[name]}: say it once")
        return Asked(**said | more)

    def law(self, where: str = "") -> OutcomeLaw:
        """The law that is asked for; the normal one where nothing is said.

        Raises
        ------
        EquationError
            A family or link that is not known, or what does not go together.
        """
        self._check_kinds(where)
        if not any(self):
            return NORMAL
        family = self._family(where)
        link = LINKS[family][0] if self.link is None else self.link.casefold()
        if link not in LINKS[family]:
            fail(
                where,
                f"the links of a {NAMES[family]} outcome are {', '.join(LINKS[family])}; got {self.link}",
            )
        if self.overdispersed and family == "normal":
            fail(where, "a normal outcome has its own level-1 variance: take overdispersed= out")
        if self.overdispersed and family in _OF_CATEGORIES:
            fail(where, f"{_ONE[family]} outcome has no variance to be multiplied: take overdispersed= out")
        size = {"trials": self.trials, "exposure": self.exposure}
        for name, value in size.items():
            if value is not None and _SIZES.get(family) != name:
                other = next(NAMES[f] for f, own in _SIZES.items() if own == name)
                fail(where, f"{name}= is for a {other} outcome, and this one is {NAMES[family]}: take it out")
        return OutcomeLaw(family, link, size.get(_SIZES.get(family, "")), bool(self.overdispersed))

    def _check_kinds(self, where: str) -> None:
        """Refuse what is no name, and no answer yes or no."""
        for name, value in zip(self._fields, self, strict=True):
            wanted, what = (bool, "True or False") if name == "overdispersed" else (str, "a name")
            if value is not None and (not isinstance(value, wanted) or value == ""):
                fail(where, f"{name}= wants {what}, got {value!r}")

    def _family(self, where: str) -> str:
        """The family that is said, or follows from the link or from trials and exposure."""
        if self.family is None:
            of_size = "binomial" if self.trials else "poisson" if self.exposure else ""
            family = OF_LINK.get((self.link or "").casefold(), of_size)
            if not family:
                fail(
                    where,
                    'say the family of the outcome too: family="binomial", "poisson", "ordinal" or '
                    f'"multinomial"; {_KNOWN}',
                )
        else:
            family = _ALSO.get(self.family.casefold(), self.family.casefold())
            if family not in LINKS:
                fail(where, f"the family {self.family!r} is not known; wanted {', '.join(LINKS)}")
            if family == "bernoulli" and self.trials is not None:
                fail(where, 'a Bernoulli outcome has one trial a row; trials= goes with family="binomial"')
        return "bernoulli" if family == "binomial" and self.trials is None else family


NOTHING = Asked()
_KNOWN = f"links are {', '.join(link for link in OF_LINK if link != 'identity')}"


def check_normal(outcome: str, law: OutcomeLaw, what: str) -> None:
    """Refuse, as EstimationError, an outcome that is not normal; ``what`` is for normal ones."""
    if not law.is_normal:
        raise EstimationError(
            f"{what} is for normal outcomes, and {outcome} of this model is {law.name} with a {law.link} link"
        )


def check_outcome_law(law: OutcomeLaw, outcome: str, log_sigma2: LogSigma2 | None) -> None:
    """Refuse, as EquationError, a law that does not go with the rest of a model."""
    if same_name(law.size, outcome):
        fail("", f"{outcome} is the outcome, and its own {_SIZES[law.family]}: name another variable")
    if not law.is_normal and log_sigma2 is not None:
        fail(
            log_sigma2.where,
            f"log(sigma2) is of a normal outcome, and this one is {law.name}: its variance follows from its "
            "mean, so take this equation out",
        )
