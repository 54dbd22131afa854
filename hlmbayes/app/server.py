"""The window's addresses: what each click asks for, done to the session, and the part of the page it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ..errors import HLMError
from ..model_tables.saving import STYLE
from ..report.style import CSS
from . import doing
from . import state as edits
from .answers import Form, changing, showing
from .files import save, take_files
from .guard import Door, Guard
from .opening import Chosen, Opened, kind_of, reading_from
from .page_words import in_page_words
from .pages import show
from .results import ROUTES as RESULTS
from .session import Session
from .settings import apply_settings, settings_values
from .tasks import ROUTES as TASKS

HERE = Path(__file__).parent


def page(request: Request) -> Response:
    """The whole page, as the session is."""
    session: Session = request.scope["session_here"]
    panel = "data" if session.opened and not session.runs else ""
    return show(request, "index.html", **as_shown(session), panel=panel)


# ----------------------------------------------------------------------------- data


def open_example_data(session: Session, form: Form) -> dict[str, Any]:
    """Open the example."""
    session.read(partial(take_up, session), doing.example)
    return reading(session, form, session.patience)


def open_files(session: Session, form: Form) -> dict[str, Any]:
    """Open the files that were sent, or ask for the id."""
    files = take_files(session, form)
    before = session.opened.chosen if session.opened else None
    session.read(partial(take_up, session), doing.open_files, files, before)
    return reading(session, form, session.patience)


def take_up(session: Session, found: Opened | Chosen) -> None:
    """Take up what was read, or ask for the id."""
    if isinstance(found, Chosen):
        session.asked = found
    else:
        session.open(found)


def reading(session: Session, form: Form, seconds: float = 0.0) -> dict[str, Any]:
    """How far the reading of files is, or what was read."""
    work = session.reading
    if work is None or work.status == "stopped" or not work.wait(seconds):
        return {}
    session.take_read()
    return {"panel": "" if session.asked else "data"}


def stop_reading(session: Session, form: Form) -> dict[str, Any]:
    """Stop the reading of files; the page says so until others are opened."""
    if session.reading is not None and session.reading.running:
        session.reading.stop()
        session.worker.begin()
    return {}


def leave(session: Session, form: Form) -> dict[str, Any]:
    """Ask no more which variable is the id: what was open is open still."""
    session.asked = None
    return as_shown(session)


def choose_id(session: Session, form: Form) -> dict[str, Any]:
    """Read the files with the id, and as else is said."""
    chosen = session.asked or session.here.chosen
    if chosen is None:
        raise HLMError(
            "these data came with a command file; open the data files themselves to read them otherwise"
        )
    one, two, sheets = chosen.level1, chosen.level2, chosen.sheets
    codes, incomplete = form.text("missing"), form.text("level2_missing")
    marks = form.text("decimal"), form.text("thousands")
    first, second = (form.text(f"sheet{level}") or None for level in (1, 2))
    sheet = (first, second or (None if two else first))
    if form.get("swap") and two is not None:
        one, two, sheets, sheet = two, one, sheets[::-1], sheet[::-1]
    percent = form.get("percent") is not None
    how = reading_from(chosen.reading, codes, incomplete, *marks, percent=percent, sheet=sheet)
    names = chosen.names if sheet == chosen.reading.sheet else ()
    new = Chosen(one, two, form.text("id") or chosen.id, names, how, sheets)
    before = session.state if session.opened else None

    def take(found: Opened | Chosen) -> None:
        take_up(session, found)
        session.state = before or session.state

    session.read(take, doing.read_again, new)
    return reading(session, form, session.patience)


# ----------------------------------------------------------------------------- the model


def edit(session: Session, form: Form) -> dict[str, Any]:
    """One click on a variable's menu, a u or a b."""
    act, name, level = form.text("act"), form.text("name"), form.number("level", 1)
    here = session.here
    if act in ("none", "group", "grand", "factor", "outcome") and name not in edits.INTERCEPTS:
        name = here.data.find(name)
    if act == "outcome":
        session.change(lambda s: edits.choose_outcome(s, name))
    elif act == "null":
        session.change(edits.null_model)
    elif act == "equation":
        session.state = edits.choose_equation(session.state, name)
    elif act == "u":
        session.change(lambda s: edits.toggle_u(s, name))
    elif act == "add_term":
        session.change(lambda s: of_these_data(session, edits.add_term(s, level, form.text("text"))))
    elif act == "delete_term":
        session.change(lambda s: edits.delete_term(s, name))
    elif act == "delete":
        delete = edits.delete_level1 if level == 1 else edits.delete_level2
        session.change(lambda s: delete(s, name))
    elif act in ("none", "group", "grand", "factor"):
        how: Any = act
        add = edits.add_level1 if level == 1 else edits.add_level2
        session.change(lambda s: add(s, name, how))
    else:
        raise HLMError(f"{act!r} is nothing that the window does")
    return {}


def undo(session: Session, form: Form) -> dict[str, Any]:
    """Go back by one change."""
    session.undo()
    return {}


def take(session: Session, form: Form) -> dict[str, Any]:
    """Go back to the model of a run."""
    run = session.find(form.number("number"))
    try:
        of_these_data(session, run.state)
    except HLMError as error:
        raise HLMError(f"{run.name} is of other data than those that are open: {error}") from None
    session.take(run.number)
    return {}


def toggle_mixed(session: Session, form: Form) -> dict[str, Any]:
    """Show or hide the mixed model."""
    session.mixed_shown = not session.mixed_shown
    return {}


def of_these_data(session: Session, state: edits.State) -> edits.State:
    """Give a state whose variables the open data have.

    Raises
    ------
    DataError
        They have one of them not.
    """
    for name in state.known.variables:
        session.here.data.find(name)
    return state


def use_text(session: Session, form: Form) -> dict[str, Any]:
    """Take the model from text; what is wrong with it is said beside it."""
    session.text_open, text = True, form.text("text")
    try:
        session.change(lambda s: of_these_data(session, edits.from_text(s, text)))
    except HLMError as error:
        return {"text_error": in_page_words(str(error)), "text": text}
    return {}


def settle(session: Session, form: Form) -> dict[str, Any]:
    """Take the settings."""
    state = apply_settings(session, form)
    session.change(lambda _: state)
    return {**settings_values(session), "done": True}


# ----------------------------------------------------------------------------- the application


def add_imputed(session: Session, form: Form) -> dict[str, Any]:
    """Take other imputed data sets, whose fits are pooled with that of the open data."""
    files = tuple(take_files(session, form))
    if strange := [file.name for file in files if kind_of(file) != "data" or file.suffix.lower() == ".mdm"]:
        raise HLMError(
            f"{', '.join(strange)} is no data file that is read here: wanted .sav, .dta, .csv, ..."
        )
    session.change(lambda s: replace(s, beside=replace(s.beside, imputed=(*s.beside.imputed, *files))))
    return {**settings_values(session), "done": True}


def run_model(session: Session, form: Form) -> dict[str, Any]:
    """Estimate the model; where it cannot be, the results that are shown stay below the reason."""
    try:
        session.run()
        return fitting(session, form, session.patience)
    except HLMError as error:
        return {**as_shown(session), "error": in_page_words(str(error))}


def run_null(session: Session, form: Form) -> dict[str, Any]:
    """Take the outcome's null model and estimate it: the report says its ICC."""
    session.change(edits.null_model)
    return {**run_model(session, form), "work_oob": True}


def fitting(session: Session, form: Form, seconds: float = 0.0) -> dict[str, Any]:
    """How far the estimation is, or what came of it."""
    work = session.fitting
    if work is not None and (work.status == "stopped" or not work.wait(seconds)):
        return as_shown(session)
    run = session.take_run()
    return {"run": run, "report": run.fragment, "oob": True}


def fitting_still(session: Session, form: Form) -> dict[str, Any]:
    """How far the estimation is, beside the results that are read meanwhile."""
    work = session.fitting
    done = work is not None and not work.running and work.status != "stopped"
    return {"run": session.take_run() if done else None}


def stop_fitting(session: Session, form: Form) -> dict[str, Any]:
    """Stop the estimation; the page says so until the next."""
    if session.fitting is not None and session.fitting.running:
        session.fitting.stop()
        session.worker.begin()
    return {}


def as_shown(session: Session) -> dict[str, Any]:
    """The run that is shown, if there is one."""
    run = session.find(session.shown) if session.runs else None
    return {} if run is None else {"run": run, "report": run.fragment}


def panel_data(session: Session, form: Form) -> dict[str, Any]:
    """What is in the data."""
    _ = session.here
    return {}


def panel_settings(session: Session, form: Form) -> dict[str, Any]:
    """The settings as they are."""
    return settings_values(session)


def report_css(request: Request) -> Response:
    """The style sheet of reports, which they bring themselves elsewhere."""
    return PlainTextResponse(f"{CSS}\n{STYLE}", media_type="text/css")


def alive(request: Request) -> Response:
    """What an open page says now and then."""
    return Response(status_code=204)


def application(door: Door, opened: Opened | None = None) -> Starlette:
    """The window as an application; ``opened`` is what each new session begins with."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        door.sessions.worker.begin()
        yield
        door.sessions.close()

    routes = [
        Route("/", page),
        Route("/open", changing("main.html", open_files), methods=["POST"]),
        Route("/open", showing("main.html", reading)),
        Route("/open/stop", changing("main.html", stop_reading), methods=["POST"]),
        Route("/open/leave", changing("main.html", leave), methods=["POST"]),
        Route("/open/id", changing("main.html", choose_id), methods=["POST"]),
        Route("/example", changing("main.html", open_example_data), methods=["POST"]),
        Route("/edit", changing("work.html", edit), methods=["POST"]),
        Route("/undo", changing("work.html", undo), methods=["POST"]),
        Route("/text", changing("work.html", use_text), methods=["POST"]),
        Route("/mixed", changing("work.html", toggle_mixed), methods=["POST"]),
        Route("/take/{number:int}", changing("work.html", take), methods=["POST"]),
        Route("/null", changing("results.html", run_null), methods=["POST"]),
        Route("/run", changing("results.html", run_model), methods=["POST"]),
        Route("/run", showing("fitting.html", fitting_still)),
        Route("/run/stop", changing("fitting.html", stop_fitting), methods=["POST"]),
        Route("/settings", changing("panels/settings.html", settle, "settings-said"), methods=["POST"]),
        Route("/imputed", changing("panels/settings.html", add_imputed, "imputed-said"), methods=["POST"]),
        Route("/panel/data", showing("panels/data.html", panel_data)),
        Route("/panel/settings", showing("panels/settings.html", panel_settings)),
        *RESULTS,
        *TASKS,
        Route("/save/{name}", save),
        Route("/alive", alive, methods=["POST"]),
        Route("/static/report.css", report_css),
        Mount("/static", StaticFiles(directory=HERE / "static")),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(Guard, door=door)], lifespan=lifespan)
    app.state.opened = opened
    return app
