"""Priors: what was asked for, and what it comes to once the data have set the scales.

The defaults are weakly informative. A unit of scale is the outcome's standard deviation over the
predictor's, so that they mean the same whatever the units of the data (Gelman, Jakulin, Pittau &
Su 2008, Annals of Applied Statistics 2, 1360; Gelman 2006, Bayesian Analysis 1, 515 for the half-t).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

import numpy as np

from ..equations.parts import matching_gammas
from ..errors import SamplingError
from ..likelihood.design import Design
from ..likelihood.row_groups import Groups
from .distributions import (
    FAMILIES,
    LKJ,
    Exponential,
    Flat,
    GammaPrior,
    HalfCauchy,
    HalfNormal,
    HalfT,
    InverseGamma,
    InverseWishart,
    Normal,
    SdPrior,
    positive,
    with_scale,
)

ALPHA_SCALE = 1.0  # prior sd of an effect on log(sigma2), for one sd of its variable
GAMMA_SCALE = 2.5  # prior sd of a fixed effect, in units of outcome sd / predictor sd
FAR = 3.0  # sds between a predictor's mean and its zero: beyond, priors at that zero say much about its slope


@dataclass(frozen=True, eq=False)
class Priors:
    """The priors of a model's parameters; what is left out gets a weakly informative default.

    Parameters
    ----------
    gamma : Normal, Flat, or mapping of gamma name to one of them
        Fixed effects. Default: normal with mean 0 and sd 2.5 times the outcome's sd over the
        predictor's; the intercept's is about the outcome's mean and allows for predictors whose
        zero is far from their mean.
    sd : HalfNormal, HalfT, HalfCauchy, Exponential, InverseGamma, or mapping of name ("b1" or "u1")
        Standard deviations of the random effects. Default: half-t, 3 d.f., scale one outcome sd
        over the predictor's sd. A family without a scale, ``HalfNormal()``, takes that scale too.
    sigma : as ``sd``
        Level-1 standard deviation. Default: half-t, 3 d.f., scale the outcome's sd.
    corr : LKJ
        Correlations of the random effects; default LKJ(1).
    tau : InverseWishart, optional
        In place of ``sd`` and ``corr``.
    alpha : Normal, or mapping of name ("a0", "a1") to Normal
        Coefficients of log(sigma2), where the model has that equation. Default: a0 normal about the
        log of the outcome's variance with sd 2.5, slopes normal with mean 0 and sd 1 over the
        predictor's sd.
    width : float
        Multiplies every default scale: 10 makes the defaults ten times wider.

    Raises
    ------
    SamplingError
        A wrong kind of prior, or (when used with a model) a name the model lacks.
    """

    gamma: GammaPrior | Mapping[str, GammaPrior] | None = None
    sd: SdPrior | Mapping[str, SdPrior] | None = None
    sigma: SdPrior | None = None
    corr: LKJ = field(default_factory=LKJ)
    tau: InverseWishart | None = None
    alpha: Normal | Mapping[str, Normal] | None = None
    width: float = 1.0

    def __post_init__(self) -> None:
        gamma_kinds, sd_kinds = (Normal, Flat), (HalfNormal, HalfT, Exponential, InverseGamma)
        _check_kind("gamma", self.gamma, gamma_kinds)
        _check_kind("sd", self.sd, sd_kinds)
        _check_kind("sigma", self.sigma, sd_kinds, mapping=False)
        _check_kind("tau", self.tau, (InverseWishart,), mapping=False)
        _check_kind("alpha", self.alpha, (Normal,))
        if not isinstance(self.corr, LKJ):
            raise SamplingError(f"Priors: corr must be LKJ(eta), got {self.corr!r}")
        object.__setattr__(self, "width", positive("Priors: width", self.width))
        if self.tau is not None and (self.sd is not None or self.corr != LKJ()):
            raise SamplingError(
                "Priors: tau (inverse-Wishart) takes the place of sd and corr: give it or them, not both"
            )
        for name in ("gamma", "sd", "alpha"):
            value = getattr(self, name)
            if isinstance(value, Mapping):
                frozen = MappingProxyType({str(k).strip().lower(): v for k, v in value.items()})
                object.__setattr__(self, name, frozen)

    def describe(self, model: Any = None, data: Any = None) -> str:
        """Say the priors in words; with a model and data, every one with its numbers."""
        if model is not None and data is not None:
            from ..sampling.sampling import target_for

            return target_for(model, data, self).priors.describe()
        lines = [
            "Fixed effects: " + _say(self.gamma, "normal, sd 2.5 outcome sds per predictor sd"),
            "Standard deviations of random effects: "
            + (self.tau.words() + " on tau" if self.tau else _say(self.sd, "half-t with 3 d.f., data scale")),
            "Level-1 standard deviation: " + _say(self.sigma, "half-t with 3 d.f., scale the outcome's sd"),
        ]
        if self.tau is None:
            lines.append("Correlations of random effects: " + self.corr.words())
        if self.alpha is not None:
            lines.append("Coefficients of log(sigma2): " + _say(self.alpha, "normal, data scale"))
        if self.width != 1:
            lines.append(f"Default scales are multiplied by {self.width:g}.")
        return "\n".join(lines)

    def to_json(self) -> str:
        """Give the priors as text that `from_json` reads back."""
        return json.dumps({f.name: _encode(getattr(self, f.name)) for f in fields(self)})

    @classmethod
    def from_json(cls, text: str) -> Priors:
        """Read what `to_json` wrote."""
        return cls(**{name: _decode(value) for name, value in json.loads(text).items()})


def _check_kind(what: str, value: Any, kinds: tuple[type, ...], mapping: bool = True) -> None:
    values = (
        value.items() if isinstance(value, Mapping) and mapping else [] if value is None else [("", value)]
    )
    for name, prior in values:
        if not isinstance(prior, kinds):
            allowed = ", ".join(kind.__name__ for kind in kinds)
            at = f" for {name}" if name else ""
            raise SamplingError(f"Priors: {what}{at} must be one of {allowed}, got {prior!r}")


def _say(value: Any, default: str) -> str:
    if value is None:
        return default
    if isinstance(value, Mapping):
        named = "; ".join(f"{name} {_words(prior)}" for name, prior in value.items())
        return f"{named}; the others {default}"
    return _words(value)


def _words(prior: Any) -> str:
    if getattr(prior, "scale", 1.0) is None:
        return f"{type(prior).__name__}, scale from the data"
    words: str = prior.words()
    return words


def _encode(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {"by name": {k: _encode(v) for k, v in value.items()}}
    if value is None or isinstance(value, int | float | str):
        return value
    parts = {f.name: getattr(value, f.name) for f in fields(value)}
    return {
        type(value).__name__: {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in parts.items()}
    }


def _decode(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    (kind, parts), *_ = value.items()
    if kind == "by name":
        return {k: _decode(v) for k, v in parts.items()}
    return FAMILIES[kind](**parts)


# --- with a design: every scale a number -----------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class ResolvedPriors:
    """Priors of one design's parameters.

    Attributes
    ----------
    gamma_names : tuple of str, length F
        Free fixed effects.
    gamma_mean, gamma_precision : ndarray, shape (F,)
        Units of the data; precision 0 where the prior is flat.
    random_names : tuple of str, length q
        Random coefficients.
    sd : tuple of q SdPrior
    sigma : SdPrior
    eta : float
        Of the LKJ prior.
    tau : InverseWishart or None
        Where given, ``sd`` and ``eta`` are not used.
    alpha_names, alpha_mean, alpha_sd : tuple of str, ndarray (K,), ndarray (K,)
        Coefficients of log(sigma2), where the model has that equation; ``sigma`` is then not used.
    cautions : tuple of str
        What should be known of them, in words.
    """

    gamma_names: tuple[str, ...]
    gamma_mean: np.ndarray
    gamma_precision: np.ndarray
    random_names: tuple[str, ...]
    sd: tuple[SdPrior, ...]
    sigma: SdPrior
    eta: float
    tau: InverseWishart | None
    alpha_names: tuple[str, ...] = ()
    alpha_mean: np.ndarray = field(default_factory=lambda: np.zeros(0))
    alpha_sd: np.ndarray = field(default_factory=lambda: np.zeros(0))
    cautions: tuple[str, ...] = ()

    @property
    def proper(self) -> bool:
        """Whether every prior integrates to one (no flat fixed effect)."""
        return bool(np.all(self.gamma_precision > 0))

    def describe(self) -> str:
        """Say every prior in words, one a line."""
        lines = []
        for name, mean, precision in zip(
            self.gamma_names, self.gamma_mean, self.gamma_precision, strict=True
        ):
            prior = Normal(float(mean), float(precision**-0.5)) if precision > 0 else Flat()
            lines.append(f"{name}: {prior.words()}")
        if self.tau is not None:
            lines.append(f"tau of {', '.join(self.random_names)}: {self.tau.words()}")
        else:
            for name, sd in zip(self.random_names, self.sd, strict=True):
                lines.append(f"sd of {name}: {sd.words()}")
            if len(self.random_names) > 1:
                lines.append(f"correlations of {', '.join(self.random_names)}: {LKJ(self.eta).words()}")
        for name, mean, sd in zip(self.alpha_names, self.alpha_mean, self.alpha_sd, strict=True):
            lines.append(f"{name} of log(sigma2): {Normal(float(mean), float(sd)).words()}")
        if not self.alpha_names:
            lines.append(f"sigma: {self.sigma.words()}")
        return "\n".join([*lines, *self.cautions])


@dataclass(frozen=True, slots=True, eq=False)
class Scales:
    """What the defaults are made of.

    Attributes
    ----------
    y_mean, y_sd : float
        Of the outcome over all rows.
    x_mean, x_spread : ndarray, shape (F,)
        Mean and sd of the columns of X; of a constant one the root mean square.
    constant : ndarray of bool, shape (F,)
    level : ndarray, shape (F,), or None
        Coefficients with which X gives 1: an intercept, or one each of a full set of dummies. None where
        the fit at the predictors' zero is 0 (a regression through the origin).
    z_spread : ndarray, shape (q,)
    """

    y_mean: float
    y_sd: float
    x_mean: np.ndarray
    x_spread: np.ndarray
    constant: np.ndarray
    level: np.ndarray | None
    z_spread: np.ndarray


def data_scales(design: Design) -> Scales:
    """Measure the outcome and the columns of X (F,) and Z (q,) over all rows.

    The spread of a column is its sd, or its root mean square where it is constant.
    """
    n, moments = design.n, design.moments
    total = float(n.sum())
    y = [c.lower() for c in moments.columns].index(design.model.outcome.lower())
    y_mean = float(n @ moments.mean[:, y]) / total
    y_ss = float(moments.sscp[:, y, y].sum() + n @ (moments.mean[:, y] - y_mean) ** 2)
    xx = design.bases.xx / (np.outer(design.bases.scale, design.bases.scale) * total)
    by_level2 = (n * design.products.mean) @ design.level2.T / total
    mean = np.einsum("fpu,pu->f", design.loading, by_level2)
    z = design.random
    z_square = np.einsum("jaa->a", design.dd)[z] / total
    z_mean = design.products.mean[z] @ n / total
    spread, constant = _spread(np.diag(xx), mean)
    return Scales(
        y_mean, float(np.sqrt(y_ss / total)), mean, spread, constant, _level(xx, mean, spread, constant),
        _spread(z_square, z_mean)[0],
    )  # fmt: skip


def _level(xx: np.ndarray, mean: np.ndarray, spread: np.ndarray, constant: np.ndarray) -> np.ndarray | None:
    """Give the coefficients with which X comes to 1 in every row."""
    if constant.any():
        return np.where(constant, 1.0 / np.where(constant, mean, 1.0), 0.0)
    scaled = xx / np.outer(spread, spread)
    found = np.linalg.pinv(scaled, rcond=1e-10, hermitian=True) @ (mean / spread)
    missed = 1.0 - float(found @ (mean / spread))  # mean square of 1 - X found
    return found / spread if missed < 1e-8 else None


def _spread(square: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    variance = square - mean**2
    constant = variance <= 1e-12 * square
    return np.sqrt(np.where(constant, square, variance)), constant


def resolve(priors: Priors | None, design: Design, groups: Groups | None = None) -> ResolvedPriors:
    """Give every parameter of a design its prior.

    Parameters
    ----------
    priors : Priors or None
    design : Design
    groups : Groups, optional
        Rows by their level-1 variance, where log(sigma2) depends on variables.

    Raises
    ------
    SamplingError
        A prior for a name the model lacks, two priors for effects held equal, or an
        inverse-Wishart of another size.
    """
    priors = Priors() if priors is None else priors
    if not isinstance(priors, Priors):
        raise SamplingError(f"priors must be hlmbayes.Priors(...), got {priors!r}")
    scales = data_scales(design)
    names = [
        design.model.gamma_names[int(np.flatnonzero(design.free == f)[0])] for f in range(design.n_fixed)
    ]
    mean, precision = _gamma(priors, design, scales)
    random = [design.model.coefficients[r] for r in design.random]
    aliases = [(c.name, c.effect) for c in random]
    asked = _by_name("sd", "standard deviation of a random effect", priors.sd, aliases)
    sd = tuple(
        with_scale(p or HalfT(), priors.width * scales.y_sd / s)
        for p, s in zip(asked, scales.z_spread, strict=True)
    )
    if priors.tau is not None and len(priors.tau.scale) != len(random):
        raise SamplingError(
            f"InverseWishart: scale is {len(priors.tau.scale)} x {len(priors.tau.scale)}, but the model has "
            f"{len(random)} random effects"
        )
    if design.model.log_sigma2 is not None and priors.sigma is not None:
        raise SamplingError("Priors: sigma is not in a model with an equation for log(sigma2): use alpha")
    if design.model.log_sigma2 is None and priors.alpha is not None:
        raise SamplingError("Priors: alpha is for models with an equation for log(sigma2): this has none")
    sigma = with_scale(priors.sigma or HalfT(), priors.width * scales.y_sd)
    return ResolvedPriors(
        tuple(names), mean, precision, tuple(c.name for c in random), sd, sigma, priors.corr.eta, priors.tau,
        *_alpha(priors, design, scales, groups), _far_zeros(design),
    )  # fmt: skip


def _far_zeros(design: Design) -> tuple[str, ...]:
    """Name the random slopes whose predictor has its zero far from its values, beside a random level.

    Units whose slopes differ then differ in level by far more at that zero than among the rows, with a
    correlation near -1 or 1. Priors of sds and correlations there hardly allow that, unless slopes are alike.
    """
    z, total = design.random, float(design.n.sum())
    mean = design.products.mean[z] @ design.n / total
    zz = design.products.dd.sum(axis=2)[z[:, None], z] / total
    spread, constant = _spread(np.diag(zz), mean)
    if not constant.any():
        return ()
    found = []
    for r, m, s in zip(z[~constant], mean[~constant], spread[~constant], strict=True):
        coefficient = design.model.coefficients[r]
        if abs(m) > FAR * s:
            name = coefficient.predictor.variable
            found.append(
                f"{name} has its zero {abs(m) / s:.1f} standard deviations from its mean, and priors of "
                "standard deviations and correlations at that zero speak against a variance of "
                f"{coefficient.name}: centre it, grand({name}) or group({name})."
            )
    return tuple(found)


def _alpha(
    priors: Priors, design: Design, scales: Scales, groups: Groups | None
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Give the names, means and sds of the coefficients of log(sigma2)."""
    spec = design.model.log_sigma2
    asked = _by_name(
        "alpha", "coefficient of log(sigma2)", priors.alpha, [(n,) for n in spec.names] if spec else []
    )
    if spec is None or groups is None:
        return (), np.zeros(0), np.zeros(0)
    share = groups.n / groups.n.sum()
    center = share @ groups.covariates
    spread, _ = _spread(share @ groups.covariates**2, center)
    mean = np.zeros(len(spread))
    sd = priors.width * ALPHA_SCALE / spread
    mean[0] = 2.0 * np.log(scales.y_sd)
    # as for the intercept of the fixed effects
    sd[0] = np.sqrt((GAMMA_SCALE * priors.width) ** 2 + np.sum((center * sd)[1:] ** 2))
    for k, prior in enumerate(asked):
        if prior is not None:
            mean[k], sd[k] = prior.mean, prior.sd
    return spec.names, mean, sd


def _gamma(priors: Priors, design: Design, scales: Scales) -> tuple[np.ndarray, np.ndarray]:
    """Give the mean and precision of every free fixed effect's prior."""
    sd = GAMMA_SCALE * priors.width * scales.y_sd / scales.x_spread
    mean = np.zeros(len(sd))
    if scales.level is None:  # the level, too, has to come from the predictors
        rms = np.hypot(scales.x_mean, np.where(scales.constant, 0.0, scales.x_spread))
        sd = np.maximum(sd, GAMMA_SCALE * priors.width * np.hypot(scales.y_mean, scales.y_sd) / rms)
    else:
        carries = np.abs(scales.level) * scales.x_spread > 1e-6
        mean = scales.y_mean * scales.level
        # predictors move the fit at their zero by up to mean * effect: the level must be free to follow
        reach = np.sum((scales.x_mean * sd)[~carries] ** 2)
        sd = np.where(carries, np.sqrt(sd**2 + reach * scales.level**2), sd)
    precision = sd**-2.0
    names = design.model.gamma_names
    written = list(priors.gamma) if isinstance(priors.gamma, Mapping) else []
    aliases = [(name, *(w for w in written if matching_gammas(w, names) == [name])) for name in names]
    asked = _by_name("gamma", "fixed effect", priors.gamma, aliases)
    seen: dict[int, tuple[str, GammaPrior]] = {}
    for name, prior, f in zip(design.model.gamma_names, asked, design.free, strict=True):
        if prior is None:
            continue
        other = seen.setdefault(int(f), (name, prior))
        if other[1] != prior:
            raise SamplingError(
                f"Priors: {other[0]} and {name} are held equal but have different priors: "
                "give it to one of them"
            )
        mean[f] = prior.mean if isinstance(prior, Normal) else 0.0
        precision[f] = prior.sd**-2.0 if isinstance(prior, Normal) else 0.0
    return mean, precision


def _by_name(what: str, meaning: str, value: Any, aliases: Sequence[tuple[str, ...]]) -> list[Any]:
    """Give one prior (or None) for each parameter, which may be named by any of its aliases."""
    if not isinstance(value, Mapping):
        return [value] * len(aliases)
    known = {alias.lower(): i for i, names in enumerate(aliases) for alias in names}
    result: list[Any] = [None] * len(aliases)
    for name, prior in value.items():
        if name not in known:
            close = get_close_matches(name, known, n=1)
            have = ", ".join(names[0] for names in aliases) or "none"
            hint = f" Did you mean {close[0]}?" if close else ""
            raise SamplingError(f"Priors: {what} {name!r} is not a {meaning} of this model ({have}).{hint}")
        if result[known[name]] is not None:
            raise SamplingError(f"Priors: {what} has two priors for {aliases[known[name]][0]}: give it one")
        result[known[name]] = prior
    return result


__all__ = [
    "LKJ", "Exponential", "Flat", "HalfCauchy", "HalfNormal", "HalfT", "InverseGamma", "InverseWishart",
    "Normal", "Priors", "ResolvedPriors", "data_scales", "resolve",
]  # fmt: skip
