"""Priors as the page asks for them, one for each parameter, and as Python writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..equations.model import TwoLevelModel
from ..errors import SamplingError
from ..priors.distributions import (
    LKJ,
    Exponential,
    Flat,
    HalfNormal,
    HalfT,
    InverseGamma,
    InverseWishart,
    Normal,
)
from ..priors.priors import Priors
from ..report.header import shown
from .answers import Form

FIXED = {"Normal": "normal", "Flat": "flat"}
SDS = {
    "HalfT": "half-t", "HalfNormal": "half-normal", "HalfCauchy": "half-Cauchy", "Exponential": "exponential",
    "InverseGamma": "inverse-gamma, of the variance",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One parameter of the form: its field's name, how it is called, its families, and what is chosen now."""

    field: str
    name: str
    families: Mapping[str, str]
    numbers: tuple[str, str]  # labels of the two numbers
    family: str = ""
    first: str = ""
    second: str = ""


def rows_of(priors: Priors, model: TwoLevelModel) -> list[Row]:
    """The parameters of a model, and the priors that were chosen for them."""
    normal, scaled = ("Mean", "Standard deviation"), ("d.f. or shape", "Scale")
    names = model.fixed_parameters.name_of
    found = [
        Row(f"gamma-{code}", _named(code, names[code]), FIXED, normal, *_now(priors.gamma, code))
        for code, *_ in shown(model)
    ]
    found += [
        Row(f"sd-{c.name}", f"standard deviation of {c.effect}", SDS, scaled, *_now(priors.sd, c.name))
        for c in model.coefficients
        if c.random
    ]
    if not model.outcome_law.is_normal:
        return found
    if model.log_sigma2 is None:
        now = _now({"sigma": priors.sigma}, "sigma")
        return [*found, Row("sigma", "level-1 standard deviation", SDS, scaled, *now)]
    parts = zip(model.log_sigma2.names, ("1", *model.log_sigma2.variables), strict=True)
    return found + [
        Row(f"alpha-{code}", f"{code} of {variable} in log σ²", {"Normal": "normal"}, normal,
            *_now(priors.alpha, code))
        for code, variable in parts
    ]  # fmt: skip


def _named(code: str, name: str) -> str:
    return code if name == code else f"{code} {name}"


def _now(chosen: Any, name: str) -> tuple[str, str, str]:
    """Family and numbers of a prior that was chosen."""
    prior = chosen.get(name) if isinstance(chosen, Mapping) else None
    if prior is None:
        return "", "", ""
    if isinstance(prior, HalfT):
        return ("HalfCauchy", "", _text(prior.scale)) if prior.df == 1 else (
            "HalfT", _text(prior.df), _text(prior.scale))  # fmt: skip
    values = {each.name: _text(getattr(prior, each.name)) for each in fields(prior) if each.name != "of"}
    first, second = values.get("mean", values.get("shape", "")), values.get("sd", values.get("scale", ""))
    return type(prior).__name__, first, second


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def priors_of(form: Form, model: TwoLevelModel) -> Priors:
    """The priors that the form asks for.

    Raises
    ------
    SamplingError
        A number that is lacking, or none that the family can have.
    """
    chosen: dict[str, dict[str, Any]] = {"gamma": {}, "sd": {}, "sigma": {}, "alpha": {}}
    for row in rows_of(Priors(), model):
        if family := form.text(row.field):
            kind, _, name = row.field.partition("-")
            first, second = (
                form.real(f"{row.field}-{which}", f"{row.name}, {said}")
                for which, said in zip(("first", "second"), row.numbers, strict=True)
            )
            chosen[kind][name] = _prior(row.name, family, first, second)
    corr, df = form.real("eta", "LKJ with η"), form.real("wishart-df", "inverse-Wishart with d.f.")
    tau = None if df is None else InverseWishart(df, _matrix(form.text("wishart-scale")))
    return Priors(
        gamma=chosen["gamma"] or None, sd=chosen["sd"] or None, sigma=chosen["sigma"].get(""), tau=tau,
        corr=LKJ() if corr is None else LKJ(corr), alpha=chosen["alpha"] or None,
        width=form.real("width", "default priors") or 1.0,
    )  # fmt: skip


def _prior(name: str, family: str, first: float | None, second: float | None) -> Any:
    """One prior; a scale that is left out is taken from the data."""
    if family == "Normal" and second is None:
        raise SamplingError(f"{name}: a normal prior wants a standard deviation")
    if family == "InverseGamma" and (first is None or second is None):
        raise SamplingError(f"{name}: an inverse-gamma prior wants shape and scale, such as 0.001 and 0.001")
    makers: dict[str, Callable[[], Any]] = {
        "Normal": lambda: Normal(first or 0.0, second),  # type: ignore[arg-type]
        "Flat": Flat,
        "HalfT": lambda: HalfT(3.0 if first is None else first, second),
        "HalfNormal": lambda: HalfNormal(second),
        "HalfCauchy": lambda: HalfT(1.0, second),
        "Exponential": lambda: Exponential(second),
        "InverseGamma": lambda: InverseGamma(first, second),  # type: ignore[arg-type]
    }
    if family not in makers:
        raise SamplingError(f"{name}: {family!r} is no prior that can be chosen here")
    return makers[family]()


def _matrix(text: str) -> Any:
    """A matrix as it is written: 1 0; 0 1."""
    try:
        return np.array([[float(x) for x in row.split()] for row in text.split(";")])
    except ValueError:
        raise SamplingError(f"inverse-Wishart: wanted a matrix such as 1 0; 0 1, got {text!r}") from None


def in_python(priors: Priors) -> str:
    """The priors as Python writes them."""
    parts = []
    for name in ("gamma", "sd", "sigma", "corr", "tau", "alpha"):
        value = getattr(priors, name)
        if value is None or value == LKJ():
            continue
        if isinstance(value, Mapping):
            inside = ", ".join(f"{key!r}: {_call(prior)}" for key, prior in value.items())
            parts.append(f"{name}={{{inside}}}")
        else:
            parts.append(f"{name}={_call(value)}")
    parts += [f"width={priors.width:g}"] if priors.width != 1 else []
    return f"model.sample(data, priors=hlm.Priors({', '.join(parts)}))" if parts else "model.sample(data)"


def _call(prior: Any) -> str:
    values = {each.name: getattr(prior, each.name) for each in fields(prior)}
    given = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in values.items() if v is not None}
    return f"hlm.{type(prior).__name__}({', '.join(f'{k}={v!r}' for k, v in given.items())})"
