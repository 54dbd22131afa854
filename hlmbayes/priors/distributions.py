"""The prior distributions one may ask for: for standard deviations, correlations, tau and gamma.

Every prior of a standard deviation x > 0 has a log-density of one shape,

    log p(x) = k + a log x - b log(1 + (x/c)^2) - d x - e x^2 - f / x - g / x^2 ,

so that samplers see eight numbers, not a class: ``curve`` gives them. ``draw`` draws values of x, ``words``
says any prior in words. Densities are normalised: evidence and Bayes factors can be taken from them.
"""

# ruff: noqa: D102 (what the methods give is said once, above)

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.special import gammaln

from ..errors import SamplingError

Array = Any  # float or ndarray


class Curve(NamedTuple):
    """Coefficients of a log-density of a standard deviation, in the order of the module's formula."""

    k: float
    a: float = 0.0
    b: float = 0.0
    c: float = 1.0
    d: float = 0.0
    e: float = 0.0
    f: float = 0.0
    g: float = 0.0

    def log_density(self, x: Array) -> Array:
        """Give log p(x) for x > 0; of x = 0 the limit."""
        x = np.asarray(x, dtype=float)
        value = self.k - self.b * np.log1p((x / self.c) ** 2) - self.d * x - self.e * x * x
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.a:
                value = value + self.a * np.log(x)
            if self.f or self.g:
                value = np.where(x > 0, value - self.f / x - self.g / x**2, -np.inf)
        return value

    def slope(self, x: Array) -> Array:
        """Give d log p / dx."""
        x = np.asarray(x, dtype=float)
        value = -2.0 * self.b * x / (self.c**2 + x * x) - self.d - 2.0 * self.e * x
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.a or self.f or self.g:
                value = value + self.a / x + self.f / x**2 + 2.0 * self.g / x**3
        return value


def number(what: str, value: Any, kind: str = "a number") -> float:
    """Give a finite number as a float; anything else is a SamplingError."""
    real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not real or not np.isfinite(value):
        raise SamplingError(f"{what} must be {kind}, got {value!r}")
    return float(value)


def positive(what: str, value: Any) -> float:
    """Give a positive, finite number as a float; anything else is a SamplingError."""
    found = number(what, value, "a positive number")
    if not found > 0:
        raise SamplingError(f"{what} must be a positive number, got {value!r}")
    return found


CHECKS = {"mean": number} | dict.fromkeys(("df", "eta", "scale", "sd", "shape"), positive)


@dataclass(frozen=True, slots=True)
class _Checked:
    """A prior whose numbers are checked, and made floats; a default of None is left to the data."""

    def __post_init__(self) -> None:
        for field in fields(self):
            name, value = field.name, getattr(self, field.name)
            if name in CHECKS and not (value is None and field.default is None):
                object.__setattr__(self, name, CHECKS[name](f"{type(self).__name__}: {name}", value))


@dataclass(frozen=True, slots=True)
class HalfNormal(_Checked):
    """Half-normal prior of a standard deviation; ``scale`` from the data where not given."""

    scale: float | None = None

    def curve(self) -> Curve:
        s = _scale(self)
        return Curve(float(0.5 * np.log(2.0 / np.pi) - np.log(s)), e=0.5 / s**2)

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        return np.abs(rng.normal(size=size)) * _scale(self)

    def words(self) -> str:
        return f"half-normal, scale {_scale(self):.4g}"


@dataclass(frozen=True, slots=True)
class HalfT(_Checked):
    """Half-t prior of a standard deviation; ``scale`` from the data where not given."""

    df: float = 3.0
    scale: float | None = None

    def curve(self) -> Curve:
        s, df = _scale(self), self.df
        k = np.log(2.0) + gammaln(0.5 * (df + 1)) - gammaln(0.5 * df) - 0.5 * np.log(df * np.pi) - np.log(s)
        return Curve(float(k), b=0.5 * (df + 1.0), c=float(s * np.sqrt(df)))

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        return np.abs(rng.standard_t(self.df, size=size)) * _scale(self)

    def words(self) -> str:
        name = "half-Cauchy" if self.df == 1 else f"half-t with {self.df:g} d.f."
        return f"{name}, scale {_scale(self):.4g}"


def HalfCauchy(scale: float | None = None) -> HalfT:  # noqa: N802 - reads as its siblings do
    """Half-Cauchy prior of a standard deviation: a half-t with one degree of freedom."""
    return HalfT(1.0, scale)


@dataclass(frozen=True, slots=True)
class Exponential(_Checked):
    """Exponential prior of a standard deviation; ``scale`` is its mean, from the data where not given."""

    scale: float | None = None

    def curve(self) -> Curve:
        s = _scale(self)
        return Curve(float(-np.log(s)), d=1.0 / s)

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        return rng.exponential(_scale(self), size=size)

    def words(self) -> str:
        return f"exponential, mean {_scale(self):.4g}"


@dataclass(frozen=True, slots=True)
class InverseGamma(_Checked):
    """Inverse-gamma(shape, scale) prior of a VARIANCE, as in older papers, or of the sd itself (``of="sd"``).

    The density of v is scale^shape / Gamma(shape) v^(-shape - 1) exp(-scale / v).
    """

    shape: float
    scale: float
    of: Literal["variance", "sd"] = "variance"

    def __post_init__(self) -> None:
        _Checked.__post_init__(self)
        if self.of not in ("variance", "sd"):
            raise SamplingError(f'InverseGamma: of must be "variance" or "sd", got {self.of!r}')

    def curve(self) -> Curve:
        k = float(self.shape * np.log(self.scale) - gammaln(self.shape))
        if self.of == "sd":
            return Curve(k, a=-self.shape - 1.0, f=self.scale)
        return Curve(k + float(np.log(2.0)), a=-2.0 * self.shape - 1.0, g=self.scale)

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        with np.errstate(divide="ignore", over="ignore"):  # a tiny shape reaches infinity
            value = self.scale / rng.gamma(self.shape, size=size)
        return value if self.of == "sd" else np.sqrt(value)

    def words(self) -> str:
        return f"inverse-gamma({self.shape:g}, {self.scale:g}) on the {self.of}"


SdPrior = HalfNormal | HalfT | Exponential | InverseGamma


def _scale(prior: HalfNormal | HalfT | Exponential) -> float:
    if prior.scale is None:
        raise SamplingError(
            f"{type(prior).__name__} has no scale yet: use it in Priors, which takes one from data"
        )
    return float(prior.scale)


def scaled(prior: SdPrior, scale: float) -> SdPrior:
    """Fill in a scale that was left to the data."""
    if isinstance(prior, InverseGamma) or prior.scale is not None:
        return prior
    return replace(prior, scale=scale)


@dataclass(frozen=True, slots=True)
class LKJ(_Checked):
    """LKJ(eta) prior of a correlation matrix: 1 makes all of them equally likely, more favours zero."""

    eta: float = 1.0

    def words(self) -> str:
        meaning = "all correlation matrices equally likely" if self.eta == 1 else (
            "correlations near zero favoured" if self.eta > 1 else "correlations near -1 and 1 favoured"
        )  # fmt: skip
        return f"LKJ({self.eta:g}), {meaning}"


@dataclass(frozen=True, eq=False)
class InverseWishart:
    """Inverse-Wishart(df, scale) prior of tau, for the replication of older papers; df is more than q - 1.

    ``scale`` (q, q), symmetric positive definite, in the units of tau: the mean is scale / (df - q - 1).
    """

    df: float
    scale: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "df", number("InverseWishart: df", self.df))
        try:
            scale = np.atleast_2d(np.array(self.scale, dtype=float))
        except (TypeError, ValueError):
            raise SamplingError(f"InverseWishart: scale must be a matrix, got {self.scale!r}") from None
        q = len(scale)
        fine = scale.shape == (q, q) and np.isfinite(scale).all() and np.allclose(scale, scale.T)
        if not fine or np.linalg.eigvalsh(scale)[0] <= 0:
            raise SamplingError(
                f"InverseWishart: scale must be a symmetric positive definite matrix, got {self.scale!r}"
            )
        if not self.df > q - 1:
            raise SamplingError(
                f"InverseWishart: df must be more than {q - 1} for {q} effects, got {self.df!r}"
            )
        object.__setattr__(self, "scale", scale)

    def words(self) -> str:
        return f"inverse-Wishart, {self.df:g} d.f., scale {self.scale.tolist()}"


@dataclass(frozen=True, slots=True)
class Normal(_Checked):
    """Normal prior of a fixed effect."""

    mean: float = 0.0
    sd: float = 1.0

    def words(self) -> str:
        return f"normal, mean {self.mean:.4g}, sd {self.sd:.4g}"


@dataclass(frozen=True, slots=True)
class Flat:
    """Flat (improper) prior of a fixed effect: what REML assumes."""

    def words(self) -> str:
        return "flat"


GammaPrior = Normal | Flat

FAMILIES: dict[str, Any] = {
    family.__name__: family
    for family in (HalfNormal, HalfT, Exponential, InverseGamma, LKJ, InverseWishart, Normal, Flat)
}
