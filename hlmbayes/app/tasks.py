"""Long work from the page: posterior and bootstrap, with their progress, and how they are stopped."""

from __future__ import annotations

import secrets
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from ..errors import HLMError, SamplingError
from ..posterior.draw import read
from ..posterior.prior_sensitivity import power_scale
from ..runs.estimate import level1_options
from .answers import Form, changing, sending, showing
from .files import attachment, command_text
from .page_words import in_page_words, part_of
from .prior_form import in_python, priors_of, rows_of
from .script import command_line, equations_text, python_script
from .session import Session
from .work import draw_posterior, resample, start

FILES = {"posterior.html": "text/html", "posterior.txt": "text/plain", "posterior.json": "application/json",
         "posterior.nc": "application/x-netcdf"}  # fmt: skip


def code(session: Session, form: Form) -> dict[str, Any]:
    """The script that gives the same numbers."""
    job, here = session.job(), session.here
    try:
        command_text(session)
        lacks = ""
    except HLMError as error:
        lacks = str(error)
    return {
        "script": python_script(job, here), "text": equations_text(job, here), "lacks": lacks,
        "command": command_line(job, here, text=bool(lacks)),
    }  # fmt: skip


def posterior(session: Session, form: Form) -> dict[str, Any]:
    """What is asked before drawing, how far it is, or what came of it."""
    work = session.work
    if work is not None:
        work.look()
    return {"work": work, **_report(session), **_priors(session)}


def _report(session: Session) -> dict[str, Any]:
    work = session.work
    if work is None or work.status != "done":
        return {"report": "", "files": ()}
    report = in_page_words(part_of((work.folder / "posterior.html").read_text(encoding="utf-8")))
    files = [name for name in FILES if (work.folder / name).is_file()]
    return {"report": report, "files": files}


def _priors(session: Session) -> dict[str, Any]:
    """The priors as chosen, in words and as Python writes them."""
    try:
        job, rows = session.job(), rows_of(session.priors, session.state.known)
    except HLMError as error:
        return {"priors": "", "priors_error": in_page_words(str(error))}
    found = {"chosen": session.priors, "rows": rows, "python": in_python(session.priors), "priors_error": ""}
    try:
        words = session.priors.describe(job.model, session.here.data, **level1_options(job))
    except HLMError as error:
        return {**found, "priors": "", "wrong": in_page_words(str(error))}
    return {**found, "priors": str(words), "wrong": ""}


def say_priors(session: Session, form: Form) -> dict[str, Any]:
    """Take the priors of the form, and say them in words."""
    try:
        session.priors = priors_of(form, session.state.known)
    except HLMError as error:
        return {"priors": "", "wrong": in_page_words(str(error)), "python": ""}
    return _priors(session)


def sensitivity(session: Session, form: Form) -> dict[str, Any]:
    """How much each parameter's draws depend on the priors and on the data."""
    work = session.work
    if work is None or work.status != "done":
        raise SamplingError("there are no draws yet")
    frame = power_scale(read(work.folder / "posterior.nc"))
    columns = (frame["name"], frame.index, frame["prior"], frame["likelihood"], frame["diagnosis"])
    rows = zip(*columns, strict=True)
    return {
        "rows": [
            (str(name), str(code), f"{a:.3f}", f"{b:.3f}", words or "the prior hardly matters")
            for name, code, a, b, words in rows
        ]
    }


def begin(session: Session, form: Form) -> dict[str, Any]:
    """Start to draw."""
    if session.work is not None and session.work.running:
        raise SamplingError("draws are being made: stop that first")
    from ..runs.sampled import refuse_what_has_no_posterior

    job = session.job()
    refuse_what_has_no_posterior(job)
    settings: dict[str, Any] = {
        "seed": form.number("seed", 1), "draws": form.number("draws", 1000),
        "chains": form.number("chains", 4), "sampler": form.text("sampler") or None, "progressbar": False,
    }  # fmt: skip
    session.priors = priors_of(form, session.state.known)
    folder = session.folder / f"posterior-{secrets.token_hex(4)}"
    session.drawn_of = session.state, session.opened
    session.work = start("Posterior", folder, draw_posterior, job, session.priors.to_json(), settings)
    return posterior(session, form)


def stop(session: Session, form: Form) -> dict[str, Any]:
    """Stop what is being done."""
    if session.work is not None:
        session.work.stop()
    return posterior(session, form)


def forget(session: Session, form: Form) -> dict[str, Any]:
    """Put away what was done, for another go."""
    if session.work is not None and not session.work.running:
        session.work = None
    return posterior(session, form)


def bootstrap(session: Session, form: Form) -> dict[str, Any]:
    """How far a bootstrap is, or what came of it."""
    work = session.resampling
    if work is not None:
        work.look()
    done = work is not None and work.status == "done"
    text = (work.folder / "bootstrap.txt").read_text(encoding="utf-8") if work is not None and done else ""
    return {"work": work, "text": text}


def begin_bootstrap(session: Session, form: Form) -> dict[str, Any]:
    """Start a parametric bootstrap of a run."""
    if session.resampling is not None and session.resampling.running:
        raise HLMError("a bootstrap is being done: stop that first")
    run = session.find(form.number("number"))
    run.job.refuse_several("there is no bootstrap")
    folder = session.folder / f"bootstrap-{secrets.token_hex(4)}"
    n, seed = form.number("n", 1000), form.number("seed", 1)
    session.resampling = start(f"Bootstrap of {run.name}", folder, resample, run.job, n, seed)
    return bootstrap(session, form)


def stop_bootstrap(session: Session, form: Form) -> dict[str, Any]:
    """Stop the bootstrap."""
    if session.resampling is not None:
        session.resampling.stop()
    return bootstrap(session, form)


def _download(session: Session, form: Form) -> Response:
    name, work = form.text("name"), session.work
    if name not in FILES or work is None or not (work.folder / name).is_file():
        raise HLMError(f"there is no {name}")
    return attachment((work.folder / name).read_bytes(), name, FILES[name])


ROUTES = [
    Route("/panel/code", showing("panels/code.html", code)),
    Route("/panel/posterior", showing("panels/posterior.html", posterior)),
    Route("/posterior/sensitivity", showing("panels/sensitivity.html", sensitivity)),
    Route("/posterior/priors", changing("panels/priors.html", say_priors), methods=["POST"]),
    Route("/posterior", changing("panels/posterior.html", begin, "draw-said"), methods=["POST"]),
    Route("/posterior/stop", changing("panels/posterior.html", stop), methods=["POST"]),
    Route("/posterior/again", changing("panels/posterior.html", forget), methods=["POST"]),
    Route("/bootstrap/{number:int}", changing("tabs/bootstrap.html", begin_bootstrap), methods=["POST"]),
    Route("/bootstrap", showing("tabs/bootstrap.html", bootstrap)),
    Route("/bootstrap/stop", changing("tabs/bootstrap.html", stop_bootstrap), methods=["POST"]),
    Route("/posterior/{name}", sending(_download)),
]
