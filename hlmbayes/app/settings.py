"""The settings, as HLM's menus have them: from the form to the state, and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..errors import HLMError
from ..estimation.estimates import Estimates
from ..hlm_files.command_options import ResidualFile
from . import state as edits
from .answers import Form
from .opening import Opened
from .session import Run, Session
from .state import State


def settings_values(session: Session) -> dict[str, Any]:
    """What the form shows."""
    state, here = session.state, session.here
    model = state.model
    sigma = model.log_sigma2.variables if model and model.log_sigma2 else ()
    constraints = "\n".join(" = ".join(names) for names in model.constraints) if model else ""
    apart = bool(model) and len(model.blocks) > 1 and len(model.blocks) == len(model.effects)  # type: ignore[union-attr]
    return {
        "options": state.options, "algorithm": state.algorithm, "sigma": ", ".join(sigma), "apart": apart,
        "runs": [run.name for run in comparable(session)],
        "constraints": constraints, "names1": here.level1, "names2": here.level2, "done": False,
    }  # fmt: skip


def comparable(session: Session) -> list[Run]:
    """The runs that have a deviance, the last of each name."""
    runs = {run.name: run for run in session.runs if isinstance(run.fit, Estimates)}
    return list(runs.values())


def apply_settings(session: Session, form: Form) -> State:
    """Give the state as the form says.

    Raises
    ------
    HLMError
        A value that is none, or a model that the settings do not fit.
    """
    state, here, known = session.state, session.here, form.text("known")
    deviance, df = _other_model(session, form)
    options = replace(
        state.options,
        title=form.text("title"),
        method="ML" if form.text("method") == "ML" else "REML",
        max_iterations=_iterations(form),
        keep_going=form.get("keep_going") is not None,
        full_output=form.get("full_output") is not None,
        homogeneity=form.get("homogeneity") is not None,
        level1_weight=_named(form, "level1_weight", here),
        level2_weight=_named(form, "level2_weight", here),
        variance_known=_named(form, "variance_known", here),
        variance_known_is="precision" if known == "precision" else "variance",
        plausible_values=_names(form.text("plausible"), here),
        fix_sigma2=_positive(form, "fix_sigma2"),
        deviance=deviance,
        df=df,
        residuals1=_residuals(form, 1, here),
        residuals2=_residuals(form, 2, here),
    )
    algorithm: edits.Algorithm = "exact" if form.text("algorithm") == "exact" else "hlm"
    new = replace(state, options=options, algorithm=algorithm)
    if state.model is None:
        return new
    new = edits.constrain(new, form.text("constraints").splitlines())
    new = edits.level1_variance(new, _names(form.text("sigma"), here))
    apart = form.get("apart") is not None
    was = len(state.model.blocks) > 1
    return edits.independent(new, apart) if apart != was else new


def _other_model(session: Session, form: Form) -> tuple[float | None, int | None]:
    """The deviance and number of parameters to compare with: a run's, or what is written."""
    name = form.text("compare")
    for run in comparable(session):
        if run.name == name and isinstance(run.fit, Estimates):
            return round(run.fit.deviance, 6), run.fit.n_parameters
    deviance, df = form.real("deviance"), form.number("df") if form.text("df") else None
    if (deviance is None) != (df is None):
        raise HLMError("comparison: give both the deviance and the number of parameters of the other model")
    return deviance, df


def _iterations(form: Form) -> int:
    n = form.number("max_iterations", 100)
    if n < 1:
        raise HLMError(f"iterations: wanted at least 1, got {n}")
    return n


def _named(form: Form, field: str, here: Opened) -> str | None:
    name = form.text(field)
    return here.data.find(name) if name else None


def _names(text: str, here: Opened) -> tuple[str, ...]:
    names = [name.strip() for name in text.replace("\n", ",").split(",")]
    return tuple(name if name.lower().endswith(".mdm") else here.data.find(name) for name in names if name)


def _positive(form: Form, field: str) -> float | None:
    value = form.real(field)
    if value is not None and not value > 0:
        raise HLMError(f"the level-1 variance is held at {value:g}: wanted a number above 0")
    return value


def _residuals(form: Form, level: int, here: Opened) -> ResidualFile | None:
    if form.get(f"residuals{level}") is None:
        return None
    extra = _names(form.text(f"extra{level}"), here)
    return ResidualFile(f"resfil{level}.sav", "spss", extra)
