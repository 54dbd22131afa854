"""Priors: what was asked for, and what it comes to once the data have set the scales.

The defaults are weakly informative. A unit of scale is the outcome's standard deviation over the
predictor's, so that they mean the same whatever the units of the data (Gelman, Jakulin, Pittau &
Su 2008, Annals of Applied Statistics 2, 1360; Gelman 2006, Bayesian Analysis 1, 515 for the half-t).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Unpack, get_args

import numpy as np

from .. import notebook
from ..data.two_level import TwoLevelData
from ..data.weights import Frequencies, Weights
from ..equations.model import TwoLevelModel
from ..equations.names import alpha_parameters, cut_parameters
from ..equations.text import tau_words
from ..errors import SamplingError
from ..estimation.prepare import Level1Asked, Prepared, law_and_counting, prepare
from ..hglm.category_layout import with_found_categories
from ..laws.law import Law, Need
from ..laws.log_linear import LogLinear
from ..laws.multinomial import Multinomial
from ..laws.ordinal import Ordinal, law_of
from ..laws.outcomes import Outcome
from ..likelihood.design import Design
from ..likelihood.row_groups import Groups
from ..likelihood.rows import analysed_rows, outcome_values
from ..naming import Parameters
from ..unit_moments.record import Moments
from .distributions import FAMILIES, LKJ, GammaPrior, HalfT, InverseWishart, Normal, SdPrior, positive, scaled
from .ranges import normal_within, refuse_beyond_digits, within
from .resolved import AlphaPrior, CutsPrior, NoPrior, ResolvedPriors, SigmaPrior
from .scales import Scales, data_scales, link_scales, spread_of

ALPHA_SCALE = 1.0  # prior sd of an effect on log(sigma2), for one sd of its variable
LAW = Law()
NO_POSTERIOR = (
    "sampling weights, with which there is a pseudo-likelihood and no posterior: sample from the data "
    "without them, or fit with weights=hlm.Weights(...)"
)
CUT_SCALE = 1.0  # prior sd of the logarithm of the distance between two cuts
GAMMA_SCALE = 2.5  # prior sd of a fixed effect, in units of outcome sd / predictor sd


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
    cuts : Normal, or mapping of name ("d2") to Normal
        Logarithm of the distance of each cut of an ordinal outcome to the one below it. Default: about that
        of the log odds of all rows together, with sd 1.
    width : float
        Multiplies every default scale: 10 makes the defaults ten times wider.

    Of an outcome that is not normal all is on the scale of the link. The outcome's sd is then that of a row
    there: pi / sqrt(3) for a logit, 1 for a probit, pi / sqrt(6) for a cloglog, and 1 on the logarithm of
    counts; its mean is the link of the mean outcome.

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
    cuts: Normal | Mapping[str, Normal] | None = None
    width: float = 1.0

    def __post_init__(self) -> None:
        _check_kind("gamma", self.gamma, get_args(GammaPrior))
        _check_kind("sd", self.sd, get_args(SdPrior))
        _check_kind("sigma", self.sigma, get_args(SdPrior), mapping=False)
        _check_kind("tau", self.tau, (InverseWishart,), mapping=False)
        _check_kind("alpha", self.alpha, (Normal,))
        _check_kind("cuts", self.cuts, (Normal,))
        if not isinstance(self.corr, LKJ):
            raise SamplingError(f"Priors: corr must be LKJ(eta), got {self.corr!r}")
        object.__setattr__(self, "width", positive("Priors: width", self.width))
        if self.tau is not None and (self.sd is not None or self.corr != LKJ()):
            raise SamplingError(
                "Priors: tau (inverse-Wishart) takes the place of sd and corr: give it or them, not both"
            )
        for name in ("gamma", "sd", "alpha", "cuts"):
            value = getattr(self, name)
            if isinstance(value, Mapping):
                frozen = MappingProxyType({str(k).strip().lower(): v for k, v in value.items()})
                object.__setattr__(self, name, frozen)

    def describe(self, model: Any = None, data: Any = None, **level1: Unpack[Level1Asked]) -> str:
        """Say the priors in words; with a model and data, every one with its numbers.

        ``level1``: frequency, precision, variance_known or sigma2, as `Model.sample` has them.
        """
        if model is not None and data is not None and not model.outcome_law.is_normal:
            return ready_on_link(model, data, self)[1].describe()
        if model is not None and data is not None:
            prepared, groups = ready_to_sample(model, data, *law_and_counting(model, **level1))
            return resolve(self, prepared.plain, groups, prepared.law).describe()
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
        if self.cuts is not None:
            lines.append(f"Logarithms of distances between cuts: {_say(self.cuts, 'normal, data scale')}")
        if self.width != 1:
            lines.append(f"Default scales are multiplied by {self.width:g}.")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return notebook.shown(notebook.sentences(self.describe()))

    def to_json(self) -> str:
        """Give the priors as text that `from_json` reads back."""
        return json.dumps({f.name: _encode(getattr(self, f.name)) for f in fields(self)})

    @classmethod
    def from_json(cls, text: str) -> Priors:
        """Read what `to_json` wrote."""
        return cls(**{name: _decode(value) for name, value in json.loads(text).items()})


def _check_kind(what: str, value: Any, kinds: tuple[type, ...], mapping: bool = True) -> None:
    asked = value if mapping and isinstance(value, Mapping) else {} if value is None else {"": value}
    for name, prior in asked.items():
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
    unscaled = getattr(prior, "scale", 1.0) is None
    return f"{type(prior).__name__}, scale from the data" if unscaled else str(prior.words())


def _encode(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {"by name": {k: _encode(v) for k, v in value.items()}}
    if value is None or isinstance(value, int | float | str):
        return value
    if isinstance(value, np.ndarray):
        return value.tolist()
    return {type(value).__name__: {f.name: _encode(getattr(value, f.name)) for f in fields(value)}}


def _decode(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    (kind, parts), *_ = value.items()
    if kind == "by name":
        return {k: _decode(v) for k, v in parts.items()}
    return FAMILIES[kind](**parts)


# --- with a design: every scale a number -----------------------------------------------------------


def ready_to_sample(
    model: TwoLevelModel, data: Any, law: Law | None = None, weights: Weights | Frequencies | None = None,
    groups: Groups | None = None,
) -> tuple[Prepared, Groups | None]:  # fmt: skip
    """Join model and data, with groups of rows by their variance where log(sigma2) depends on variables.

    ``groups`` are those of moments, where log(sigma2) varies in units. Refuses what `Model.fit` would, and
    sampling weights.
    """
    prepared = prepare(model, data, law=law, weights=weights)
    if Need.LIKELIHOOD in prepared.counting.lacks:
        carried = "these moments carry" if weights is None else "these are"
        raise SamplingError(f"{carried} {NO_POSTERIOR}")
    if isinstance(prepared.law, LogLinear) and groups is None:
        groups = prepared.groups
    return prepared, groups


def ready_on_link(
    model: TwoLevelModel, data: Any, priors: Priors | None
) -> tuple[Prepared, ResolvedPriors, Outcome]:
    """Join data and a model whose outcome is not normal; give its priors and law too.

    Refuses what `Model.fit` would, moments, and outcomes without a posterior.
    """
    law, said = law_of(model.outcome_law), model.outcome_law
    if said.overdispersed:
        raise SamplingError(
            "there is no posterior of this model: an outcome that is overdispersed has no likelihood. "
            "Model.fit estimates it"
        )
    if isinstance(data, Moments):
        raise SamplingError(f"the posterior of a {said.name} outcome needs the rows, and these are moments")
    prepared = prepare(model, data, law=law)
    assert isinstance(prepared.complete, TwoLevelData)  # moments were refused
    if isinstance(law, Ordinal):
        row, _ = analysed_rows(prepared.design, prepared.complete)
        law = law.seen(outcome_values(prepared.design, prepared.complete, row))
    scales = link_scales(prepared.design, prepared.complete, law)
    if isinstance(law, Multinomial):
        law, design = with_found_categories(law, prepared.design, prepared.complete)
        prepared = replace(prepared, design=design)
    return prepared, resolve(priors, prepared.design, law=law, scales=scales), law


def resolve(
    priors: Priors | None, design: Design, groups: Groups | None = None, law: Law = LAW,
    scales: Scales | None = None,
) -> ResolvedPriors:  # fmt: skip
    """Give every parameter of a design its prior; ``groups`` of rows where log(sigma2) depends on variables.

    ``design`` is of the rows as they are, not as the ``law`` of level 1 weighs them; ``scales`` are by
    default its own.

    Raises
    ------
    SamplingError
        A prior for a name the model lacks, two priors for effects held equal, or an
        inverse-Wishart of another size.
    """
    priors = Priors() if priors is None else priors
    if not isinstance(priors, Priors):
        raise SamplingError(f"priors must be hlmbayes.Priors(...), got {priors!r}")
    within("width", priors.width)
    scales = data_scales(design) if scales is None else scales
    names = [design.model.gamma_names[k] for k in design.first_of_free]
    random = tuple(design.model.coefficients[r].name for r in design.random)
    if priors.tau is not None and len(priors.tau.scale) != len(random):
        raise SamplingError(
            f"InverseWishart: scale is {len(priors.tau.scale)} x {len(priors.tau.scale)}, but the model has "
            f"{len(random)} random effects"
        )
    if priors.tau is not None and not design.pattern.full:
        raise SamplingError(
            f"Priors: tau=InverseWishart is a prior of a tau with all covariances, and here "
            f"{tau_words(design.model.blocks)}: give sd and corr in its place"
        )
    units = np.tile(scales.y_sd / scales.z_spread, max(1, len(scales.levels)))
    sd = _by_name("sd", design.model.random_parameters, priors.sd)
    found = ResolvedPriors(
        tuple(names), *_gamma(priors, design, scales), random, design.pattern,
        tuple(scaled(p or HalfT(), priors.width * float(u)) for p, u in zip(sd, units, strict=True)),
        _level1(priors, design, scales, groups, law), priors.corr.eta, priors.tau, scales.cautions,
        {**design.model.fixed_parameters.name_of, **design.model.random_parameters.name_of},
    )  # fmt: skip
    refuse_beyond_digits(found, units, scales.y_sd)
    return found


def _level1(
    priors: Priors, design: Design, scales: Scales, groups: Groups | None, law: Law
) -> SigmaPrior | AlphaPrior | CutsPrior | NoPrior:
    """Give the prior of sigma, of the coefficients of log(sigma2), or of cuts."""
    if priors.cuts is not None and not len(scales.gaps):
        raise SamplingError("Priors: cuts is for ordinal outcomes, cumlogit(rating): this has none")
    if Need.ESTIMATED_SIGMA2 in law.lacks:
        if priors.sigma is not None or priors.alpha is not None:
            raise SamplingError(
                f"Priors: there is no prior of level 1, {law.lacks[Need.ESTIMATED_SIGMA2]}: leave sigma= out"
            )
        sentence = " ".join(filter(None, (law.sentence, scales.words)))
        return _cuts(priors, scales, sentence) if len(scales.gaps) else NoPrior(sentence)
    spec = design.model.log_sigma2
    if spec is None or groups is None:
        if priors.alpha is not None:
            raise SamplingError("Priors: alpha is for models with an equation for log(sigma2): this has none")
        return SigmaPrior(scaled(priors.sigma or HalfT(), priors.width * scales.y_sd))
    if priors.sigma is not None:
        raise SamplingError("Priors: sigma is not in a model with an equation for log(sigma2): use alpha")
    share = groups.n / groups.n.sum()
    center = share @ groups.covariates
    spread, _ = spread_of(share @ groups.covariates**2, center)
    mean = np.zeros(len(spread))
    sd = priors.width * ALPHA_SCALE / spread
    mean[0] = 2.0 * np.log(scales.y_sd)
    # as for the intercept of the fixed effects
    sd[0] = np.sqrt((GAMMA_SCALE * priors.width) ** 2 + np.sum((center * sd)[1:] ** 2))
    for k, prior in enumerate(_by_name("alpha", alpha_parameters(spec), priors.alpha)):
        if prior is not None:
            normal_within(f"a{k}", prior, mean[k], sd[k] / priors.width)
            mean[k], sd[k] = prior.mean, prior.sd
    return AlphaPrior(spec.names, spec.variables, mean, sd)


def _cuts(priors: Priors, scales: Scales, sentence: str) -> CutsPrior:
    """Give the prior of the distance of each cut to the one below it."""
    names = cut_parameters(len(scales.gaps))
    mean, sd = np.log(scales.gaps), np.full(len(scales.gaps), CUT_SCALE * priors.width)
    for k, prior in enumerate(_by_name("cuts", names, priors.cuts)):
        if prior is not None:
            mean[k], sd[k] = prior.mean, prior.sd
    return CutsPrior(names.codes, mean, sd, sentence)


def _gamma(priors: Priors, design: Design, scales: Scales) -> tuple[np.ndarray, np.ndarray]:
    """Give the mean and precision of every free fixed effect's prior."""
    mean, sd = _default_gamma(priors.width, scales)
    precision, units = sd**-2.0, sd / priors.width
    names = design.model.gamma_names
    asked = _by_name("gamma", design.model.fixed_parameters, priors.gamma)
    seen: dict[int, tuple[str, GammaPrior]] = {}
    for name, prior, f in zip(names, asked, design.free, strict=True):
        if prior is None:
            continue
        other = seen.setdefault(int(f), (name, prior))
        if other[1] != prior:
            raise SamplingError(
                f"Priors: {other[0]} and {name} are held equal but have different priors: "
                "give it to one of them"
            )
        if isinstance(prior, Normal):
            normal_within(name, prior, mean[f], units[f])
        mean[f] = prior.mean if isinstance(prior, Normal) else 0.0
        precision[f] = prior.sd**-2.0 if isinstance(prior, Normal) else 0.0
    return mean, precision


def _default_gamma(width: float, scales: Scales) -> tuple[np.ndarray, np.ndarray]:
    """Give the mean and sd of every free fixed effect's default prior, (F,) each."""
    if scales.levels:
        sets = [_default_gamma(width, replace(scales, y_mean=m, levels=())) for m in scales.levels]
        means, sds = zip(*sets, strict=True)
        return np.concatenate(means), np.concatenate(sds)
    sd = GAMMA_SCALE * width * scales.y_sd / scales.x_spread
    if scales.level is None:  # the level, too, has to come from the predictors
        rms = np.hypot(scales.x_mean, np.where(scales.constant, 0.0, scales.x_spread))
        far = GAMMA_SCALE * width * np.hypot(scales.y_mean, scales.y_sd) / rms
        return np.zeros(len(sd)), np.maximum(sd, far)
    carries = np.abs(scales.level) * scales.x_spread > 1e-6
    # predictors move the fit at their zero by up to mean * effect: the level must be free to follow
    reach = np.sum((scales.x_mean * sd)[~carries] ** 2)
    mean = scales.y_mean * scales.level + 0.0  # no minus zero
    return mean, np.where(carries, np.sqrt(sd**2 + reach * scales.level**2), sd)


def _by_name(what: str, known: Parameters, value: Any) -> list[Any]:
    """Give one prior (or None) for each parameter, which may be written in any way it is called."""
    if not isinstance(value, Mapping):
        return [value] * len(known.each)
    result: list[Any] = [None] * len(known.each)
    for name, prior in value.items():
        place = known.place(name, lambda message: SamplingError(f"Priors: {what}: {message}"))
        if result[place] is not None:
            raise SamplingError(f"Priors: {what} has two priors for {known.each[place]}: give it one")
        result[place] = prior
    return result
