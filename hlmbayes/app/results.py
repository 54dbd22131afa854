"""What is shown and downloaded of a run: report, listing, figures, residual files, tests, comparisons."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from ..derived.variance_explained import variance_explained
from ..errors import HLMError
from ..estimation.estimates import Estimates
from ..figures.figure_set import AnyEstimates
from ..hglm.estimates import GeneralizedEstimates
from ..hglm.pql import PQLEstimates
from ..hlm_files.command_options import Rows
from ..hypotheses.wald import wald
from ..inference.compare import compare
from ..laws.law import Need
from ..many_fits.pooled_fit import PooledEstimates
from ..model_tables.saving import html as table_html
from ..model_tables.table import table
from ..report.header import shown
from ..residuals.files import write_residuals
from ..words import safe_name
from .answers import Form, changing, sending, showing
from .asked_of import questions, residual_frame
from .files import attachment
from .page_words import in_page_words, part_of
from .pictures import KINDS, graph, picture, pictures, title, variables
from .session import NothingOpenError, Run, Session
from .state import State

MOST_CONTRASTS = 5
FORMATS = (".docx", ".xlsx", ".tex", ".html", ".md", ".txt")
FIGURE = ("name", "x", "by", "by2", "at", "band", "draw")  # what says which figure is asked for
RESIDUAL_FORMATS = (".sav", ".dta", ".xpt", ".csv", ".parquet")


def shown_run(session: Session, form: Form) -> Run:
    """The run that the address names, which is the one shown from now on."""
    run = session.find(form.number("number"))
    session.shown = run.number
    return run


def one_fit(run: Run) -> AnyEstimates:
    """The estimates of a run of one data set.

    Raises
    ------
    HLMError
        Several were pooled.
    """
    if not isinstance(run.fit, PooledEstimates):
        return run.fit
    raise HLMError(
        "this is of one data set, and several are pooled here: take the plausible values, or the other "
        "imputed data sets, out in Settings and run again"
    )


def result(session: Session, form: Form) -> dict[str, Any]:
    """A run's report, with the list of runs."""
    run = shown_run(session, form)
    return {"run": run, "report": run.fragment, "oob": True}


# ----------------------------------------------------------------------------- tabs


def report_tab(session: Session, form: Form) -> dict[str, Any]:
    """The report."""
    run = shown_run(session, form)
    return {"run": run, "report": run.fragment}


def listing_tab(session: Session, form: Form) -> dict[str, Any]:
    """HLM's listing."""
    return {"run": shown_run(session, form)}


def figures_tab(session: Session, form: Form) -> dict[str, Any]:
    """What can be drawn."""
    run = shown_run(session, form)
    fit = one_fit(run)
    return {"run": run, "groups": pictures(fit), "variables": variables(fit)}


def figure_part(session: Session, form: Form) -> dict[str, Any]:
    """One figure, chosen from the list or by its variables; drawn now, so that what is wrong is said."""
    run = session.find(form.number("number"))
    query = {key: form.text(key) for key in FIGURE if form.text(key)}
    image_of(run, form, "png")
    return {"run": run, "query": query, "title": title(query["name"]) if "name" in query else ""}


def residuals_tab(session: Session, form: Form) -> dict[str, Any]:
    """The residual files that can be had, and how the level-2 file begins."""
    run = shown_run(session, form)
    fit = one_fit(run)
    extra = ", ".join(session.here.level2) if session.opened and fit.data is session.here.data else ""
    frame = residual_frame(fit, 2, [], run.job.options.hlm) if fit.design.n_random else None
    labels = frame.attrs.get("labels", {}) if frame is not None else {}
    head = frame.head(8) if frame is not None else None
    levels = (2,) if Need.ONE_MEAN in fit.law.lacks else (2, 1)
    return {
        "run": run, "head": head, "labels": labels, "extra": extra, "formats": RESIDUAL_FORMATS,
        "levels": levels,
    }  # fmt: skip


def tests_tab(session: Session, form: Form) -> dict[str, Any]:
    """What can be tested."""
    run = shown_run(session, form)
    fit = one_fit(run)
    others = [other for other in session.runs if other.number != run.number and not other.pooled]
    asked = [(key, title) for key, (title, _) in questions(fit).items()]
    return {
        "run": run, "rows": gamma_rows(fit), "others": [] if isinstance(fit, PQLEstimates) else others,
        "contrasts": range(1, MOST_CONTRASTS + 1), "questions": asked,
    }  # fmt: skip


def tested(fit: AnyEstimates) -> Estimates | GeneralizedEstimates:
    """The fit whose fixed effects are tested: of quasi-likelihood the last working model."""
    return fit.working if isinstance(fit, PQLEstimates) else fit


def gamma_rows(found: AnyEstimates) -> list[tuple[str, str, float]]:
    """Code, name and estimate of each fixed effect, of several held equal the first."""
    fit = tested(found)
    names, gamma = fit.model.fixed_parameters.name_of, dict(fit.gamma.items())
    return [(code, names[code], float(gamma[code])) for code, *_ in shown(fit.model)]


def compare_tab(session: Session, form: Form) -> dict[str, Any]:
    """The ticked runs side by side."""
    run = shown_run(session, form)
    return {"run": run, **_side_by_side(session, form)}


def side_by_side(session: Session, form: Form) -> dict[str, Any]:
    """The table of the runs that are ticked."""
    return {"run": session.find(session.shown), **_side_by_side(session, form)}


def _ticked(session: Session, form: Form) -> list[Run]:
    numbers = [int(text) for text in form.texts("tick") if text.isdigit()]
    runs = [run for run in session.runs if run.number in numbers] if numbers else list(session.runs)
    if not runs:
        raise NothingOpenError("no model is ticked in the list of this session")
    return runs


def _table(session: Session, form: Form) -> Any:
    runs = _ticked(session, form)
    options: dict[str, Any] = {key: bool(form.get(key)) for key in ("stars", "interval", "ratios")}
    if form.text("robust"):
        options["robust"] = {"HLM": True}.get(form.text("robust"), form.text("robust"))
    return table(*(run.fit for run in runs), names=[run.name for run in runs], **options)


def _side_by_side(session: Session, form: Form) -> dict[str, Any]:
    runs = _ticked(session, form)
    found = _table(session, form)
    tests = []
    for one, two in pairwise(runs):
        if all(isinstance(run.fit, Estimates | GeneralizedEstimates) for run in (one, two)):
            try:
                tests.append((one.name, two.name, str(compare(_with_deviance(one), _with_deviance(two))), ""))
            except HLMError as error:
                tests.append((one.name, two.name, "", in_page_words(str(error))))
    asked = {key: form.text(key) for key in ("stars", "interval", "ratios", "robust") if form.text(key)}
    query = "&".join([*(f"tick={run.number}" for run in runs), *(f"{k}={v}" for k, v in asked.items())])
    all_normal = all(run.state.known.outcome_law.is_normal for run in runs)
    return {"table": part_of(table_html(found.laid_out)), "tests": tests, "query": query, "formats": FORMATS,
            "asked": asked, "all_normal": all_normal}  # fmt: skip


# ----------------------------------------------------------------------------- tests


def test(session: Session, form: Form) -> dict[str, Any]:
    """One test or derived quantity, in the words it prints."""
    run = session.find(form.number("number"))
    fit, what = one_fit(run), form.text("what")
    if what == "hypothesis":
        return _hypothesis(session, run, fit, form)
    if what == "compare":
        other = session.find(form.number("other"))
        found = compare(*map(_with_deviance, (run, other)))
        return {"title": f"{run.name} and {other.name}", "text": str(found)}
    if what == "explained":
        return _explained(run, session.find(form.number("other")))
    if what not in questions(fit):
        raise HLMError(f"{what!r} is no test of this window for this model")
    title, answer = questions(fit)[what]
    return {"title": title, "text": str(answer(fit))}


def _explained(run: Run, base: Run) -> dict[str, Any]:
    """How much smaller each variance of a run is than that of a simpler one, in per cent of it."""
    if not isinstance(run.fit, Estimates) or not isinstance(base.fit, Estimates):
        raise HLMError(f"{run.name} and {base.name}: wanted two fits of one normal outcome")
    title = f"Variance of {base.name} that {run.name} explains"
    return {"title": title, "text": str(variance_explained(run.fit, base.fit))}


def _with_deviance(run: Run) -> Estimates | GeneralizedEstimates:
    """The fit of a run, which has a deviance.

    Raises
    ------
    HLMError
        HLM's quasi-likelihood, which has none.
    """
    if isinstance(run.fit, Estimates | GeneralizedEstimates):
        return run.fit
    raise HLMError(
        f"{run.name} is by quasi-likelihood, which has no deviance: choose The optimum in the settings"
    )


def _hypothesis(session: Session, run: Run, found: AnyEstimates, form: Form) -> dict[str, Any]:
    """A general linear hypothesis from the grid of contrasts."""
    fit = tested(found)
    names = [code for code, *_ in shown(fit.model)]
    columns = []
    for k in range(1, MOST_CONTRASTS + 1):
        column = [form.real(f"c{k}-{name}", f"contrast {k} of {name}") or 0.0 for name in names]
        if any(column):
            columns.append(column)
    if not columns:
        raise HLMError(
            "the grid has nothing but zeros: write a 1 beside the effect that the hypothesis says is zero"
        )
    asked = {name: [column[i] for column in columns] for i, name in enumerate(names)}
    test: Any = wald(fit, {name: row for name, row in asked.items() if any(row)}, robust=True)
    kept = _keep(session, run, asked) if form.get("keep") else ""
    return {"title": "General linear hypothesis", "text": str(test), "kept": kept}


def _keep(session: Session, run: Run, asked: Mapping[str, Sequence[float]]) -> str:
    """Put contrasts, by fixed effect, into the settings; say whether they are there."""
    if session.state.model != run.state.model:
        return f"It is not in the next report: the equations are not those of {run.name} any more."
    names = run.state.known.gamma_names
    if strange := [name for name, row in asked.items() if any(row) and name not in names]:
        return (
            f"It is not in the next report, which tests effects of the equations, {', '.join(names)}: "
            f"{', '.join(strange)} is of one category or cut."
        )
    none = [0.0 for _ in next(iter(asked.values()))]
    rows = tuple(zip(*(asked.get(name, none) for name in names), strict=True))
    session.change(lambda s: _with_hypothesis(s, rows))
    return "It is in the settings now: the next run prints it in report and listing, and the .hlm has it."


def _with_hypothesis(state: State, rows: Rows) -> State:
    if rows in state.options.hypotheses:
        return state
    return replace(state, options=replace(state.options, hypotheses=(*state.options.hypotheses, rows)))


# ----------------------------------------------------------------------------- files


def download(session: Session, form: Form) -> Response:
    """The report as a page, the JSON, the listing."""
    run, name = session.find(form.number("number")), form.text("name")
    made = {
        "report.html": (run.page, "text/html"),
        "results.json": (run.json, "application/json"),
        "listing.txt": (run.listing, "text/plain"),
    }
    if name not in made:
        raise HLMError(f"there is no {name}")
    make, kind = made[name]
    return attachment(make().encode(), f"{file_stem(run)}-{name}", kind)


def file_stem(run: Run) -> str:
    """A run's name as part of a file's."""
    return safe_name(run.name, longest=40, ascii=True)


def figure(session: Session, form: Form) -> Response:
    """A figure as an image, shown or kept."""
    run = session.find(form.number("number"))
    kind = form.text("kind") or "png"
    if kind not in KINDS:
        raise HLMError(f"figures are {', '.join(KINDS)}, not {kind}")
    image = image_of(run, form, kind)
    if form.get("keep"):
        name = form.text("name") or f"{form.text('draw') or 'predicted'}_{form.text('x')}"
        return attachment(image, f"{safe_name(name, ascii=True)}.{kind}", KINDS[kind])
    return Response(image, media_type=KINDS[kind])


def image_of(run: Run, form: Form, kind: str) -> bytes:
    """A figure of a run, drawn once."""
    asked = "&".join([kind, *(form.text(key) for key in FIGURE)])
    if asked not in run.images:
        run.images[asked] = _drawn(one_fit(run), form, kind)
    return run.images[asked]


def _drawn(fit: AnyEstimates, form: Form, kind: str) -> bytes:
    if not form.text("x"):
        return picture(fit, form.text("name"), kind)
    by = [name for name in (form.text("by"), form.text("by2")) if name]
    return graph(fit, form.text("draw"), form.text("x"), by, form.text("at"), kind)


def residual_file(session: Session, form: Form) -> Response:
    """A residual file, to be kept."""
    run = session.find(form.number("number"))
    level, kind = form.number("level", 2), form.text("kind") or ".sav"
    if kind not in RESIDUAL_FORMATS:
        raise HLMError(f"residual files are {', '.join(RESIDUAL_FORMATS)}, not {kind}")
    extra = [name for name in re.split(r"[,\s]+", form.text("extra")) if name]
    frame = residual_frame(one_fit(run), level, extra, run.job.options.hlm)
    name = f"{file_stem(run)}_resfil{level}{kind}"
    return _kept(write_residuals(frame, session.folder / name))


def table_file(session: Session, form: Form) -> Response:
    """The models side by side, as a document."""
    kind = form.text("kind")
    if kind not in FORMATS:
        raise HLMError(f"tables are {', '.join(FORMATS)}, not {kind}")
    return _kept(_table(session, form).save(session.folder / f"models{kind}"))


def _kept(path: Path) -> Response:
    """Send a file that was written for this, and remove it."""
    content = path.read_bytes()
    path.unlink()
    return attachment(content, path.name)


def _tab(key: str, act: Any) -> Route:
    return Route(f"/results/{{number:int}}/{key}", showing(f"tabs/{key}.html", act))


ROUTES = [
    Route("/results/{number:int}", showing("results.html", result)),
    _tab("report", report_tab),
    _tab("listing", listing_tab),
    _tab("figures", figures_tab),
    _tab("residuals", residuals_tab),
    _tab("tests", tests_tab),
    _tab("compare", compare_tab),
    Route("/results/{number:int}/figure", sending(figure)),
    Route("/results/{number:int}/picture", showing("tabs/picture.html", figure_part)),
    Route("/results/{number:int}/residual-file", sending(residual_file)),
    Route("/results/{number:int}/test", changing("tabs/test.html", test), methods=["POST"]),
    Route("/compare", showing("tabs/compare.html", side_by_side)),
    Route("/compare/table", sending(table_file)),
    Route("/results/{number:int}/{name}", sending(download)),
]
