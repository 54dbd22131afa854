"""The settings, as HLM's menus have them: from the form to the state, and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..data.weights import Frequencies
from ..equations.outcome_law import LINKS, NORMAL, Asked, OutcomeLaw
from ..errors import HLMError
from ..estimation.estimates import Estimates
from ..hlm_files.command_options import Options, ResidualFile
from ..many_fits.replicate_weights import Replication
from . import state as edits
from .answers import Form
from .beside import Beside
from .opening import Opened
from .session import Run, Session
from .state import State

FAMILIES = (  # in the words of HLM's basic settings
    ("normal", "Normal (continuous)"), ("bernoulli", "Bernoulli (0 or 1)"),
    ("binomial", "Binomial (successes in trials)"),
    ("poisson", "Poisson (counts)"),
    ("ordinal", "Ordinal (ratings)"), ("multinomial", "Multinomial (categories without an order)"),
)  # fmt: skip


def settings_values(session: Session) -> dict[str, Any]:
    """What the form shows."""
    state, here = session.state, session.here
    model = state.model
    sigma = model.log_sigma2.variables if model and model.log_sigma2 else ()
    constraints = "\n".join(" = ".join(names) for names in model.constraints) if model else ""
    apart = bool(model) and len(model.blocks) > 1 and len(model.blocks) == len(model.effects)  # type: ignore[union-attr]
    beside, frequency = state.beside, state.beside.frequency
    names = (*here.level1, *here.level2) if here.source.level2 is None else here.level1
    law = model.outcome_law if model else NORMAL
    return {
        "options": state.options, "law": law, "families": FAMILIES,
        "algorithm": _algorithm(state), "sigma": ", ".join(sigma), "apart": apart,
        "runs": [run.name for run in comparable(session)], "constraints": constraints,
        "names1": here.level1, "names2": here.level2, "numbers": names,
        "frequency": (frequency.level1, frequency.level2) if frequency else (None, None),
        "replication": beside.replication, "sampling_from": beside.sampling_from,
        "imputed": [file.name for file in beside.imputed], "imputed_by": beside.imputed_by,
        "hypotheses": _hypotheses(state), "done": False,
    }  # fmt: skip


def _algorithm(state: State) -> str:
    if state.algorithm == "exact":
        return "exact"
    return "hlm7" if state.options.hlm == "7" else "hlm"


def _hypotheses(state: State) -> str:
    """The hypotheses that every report tests, in words."""
    n = len(state.options.hypotheses)
    return "" if not n else "the hypothesis of the grid" if n == 1 else f"the {n} hypotheses of the grid"


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
    law = _law(form, here)
    deviance, df = _other_model(session, form)
    kept = state.options.hypotheses if form.get("hypotheses") is not None else ()
    options = replace(
        state.options,
        hypotheses=kept,
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
        fix_sigma2=_held_sigma2(form),
        deviance=deviance,
        df=df,
        residuals1=_residuals(form, 1, here),
        residuals2=_residuals(form, 2, here),
    )
    algorithm: edits.Algorithm = "exact" if form.text("algorithm") == "exact" else "hlm"
    if algorithm == "hlm":
        options = _of_hlm(options, form.text("algorithm"))
    new = replace(state, options=options, algorithm=algorithm, beside=_beside(state.beside, form, here))
    if state.model is None:
        return new
    if law != state.model.outcome_law:
        new = edits.distributed(edits.level1_variance(new, ()) if not law.is_normal else new, law)
    new = edits.constrain(new, form.text("constraints").splitlines())
    new = edits.level1_variance(new, _names(form.text("sigma"), here))
    apart = form.get("apart") is not None
    was = len(state.model.blocks) > 1
    return edits.independent(new, apart) if apart != was else new


def _law(form: Form, here: Opened) -> OutcomeLaw:
    """The distribution and the link of the outcome that the form asks for."""
    family = form.text("family") or "normal"
    if family == "normal":
        return NORMAL
    sizes: dict[str, str | None] = {"trials": None, "exposure": None}
    if family == "binomial":
        sizes["trials"] = _named(form, "size", here)
        if sizes["trials"] is None:
            raise HLMError("a binomial outcome: choose the variable with the trials of each row")
    if family == "poisson":
        sizes["exposure"] = _named(form, "size", here)
    link = form.text("link")
    asked = Asked(
        family, link if link in LINKS.get(family, ()) else None, **sizes,
        overdispersed=True if form.get("overdispersed") is not None else None,
    )  # fmt: skip
    return asked.law()


def _of_hlm(options: Options, algorithm: str) -> Options:
    """Follow HLM 6, or HLM 7, which a command file shows by the page that it asks for."""
    hlm = "7" if algorithm == "hlm7" else "6"
    if hlm == options.hlm:
        return options
    return replace(options, hlm=hlm, hlm_sign="", output="hlm2.html" if hlm == "7" else "")


def _beside(before: Beside, form: Form, here: Opened) -> Beside:
    """What no keyword of a command file says."""
    counts = [_named(form, f"frequency{level}", here) for level in (1, 2)]
    names = tuple(name.strip() for name in form.text("replicates").split(",") if name.strip())
    fay = form.real("fay", "Fay’s factor")
    options = {"method": form.text("replicate_method") or "brr", "of": form.text("replicates_of") or None}
    replication = Replication(names, fay=fay, **options) if names else None  # type: ignore[arg-type]
    if replication is not None:
        replication.columns(here.data)
    imputed = before.imputed if form.get("keep_imputed") is not None else ()
    return Beside(
        replication, form.text("sampling_from") or "all", Frequencies(*counts) if any(counts) else None,
        imputed, _named(form, "imputed_by", here) or "",
    )  # fmt: skip


def _other_model(session: Session, form: Form) -> tuple[float | None, int | None]:
    """The deviance and number of parameters to compare with: a run's, or what is written."""
    name = form.text("compare")
    for run in comparable(session):
        if run.name == name and isinstance(run.fit, Estimates):
            return round(run.fit.deviance, 6), run.fit.n_parameters
    deviance = form.real("deviance", "deviance to compare with")
    df = form.number("df", called="its parameters") if form.text("df") else None
    if (deviance is None) != (df is None):
        raise HLMError("comparison: give both the deviance and the number of parameters of the other model")
    return deviance, df


def _iterations(form: Form) -> int:
    n = form.number("max_iterations", 100, "iterations")
    if n < 1:
        raise HLMError(f"iterations: wanted at least 1, got {n}")
    return n


def _named(form: Form, field: str, here: Opened) -> str | None:
    name = form.text(field)
    return here.data.find(name) if name else None


def _names(text: str, here: Opened) -> tuple[str, ...]:
    names = [name.strip() for name in text.replace("\n", ",").split(",")]
    return tuple(name if name.lower().endswith(".mdm") else here.data.find(name) for name in names if name)


def _held_sigma2(form: Form) -> float | None:
    value = form.real("fix_sigma2", "σ² held at")
    if value is not None and not value > 0:
        raise HLMError(f"the level-1 variance is held at {value:g}: wanted a number above 0")
    return value


def _residuals(form: Form, level: int, here: Opened) -> ResidualFile | None:
    if form.get(f"residuals{level}") is None:
        return None
    extra = _names(form.text(f"extra{level}"), here)
    return ResidualFile(f"resfil{level}.sav", "spss", extra)
