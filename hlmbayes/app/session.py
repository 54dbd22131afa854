"""What one browser has open: data, the model with its past, the runs. A reload of the page loses nothing."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from threading import Lock, RLock

from ..errors import HLMError
from ..estimation.estimates import Estimates
from ..figures.figure_set import AnyEstimates
from ..figures.report_figures import report
from ..hglm.estimates import GeneralizedEstimates
from ..hglm.pql import PQLEstimates
from ..many_fits.pooled_fit import PooledEstimates
from ..priors.priors import Priors
from ..report import html, json_text, text
from ..report.findings import findings
from ..report.tables import Tables
from ..runs.generalized import fragment as likelihood_fragment
from ..runs.generalized import results_of_likelihood
from ..runs.jobs import Job
from ..runs.nonlinear import results_of_pql
from ..runs.outputs import Results
from ..runs.pooled import imputed_jobs, results_of_pooled
from .doing import Estimated, estimate
from .opening import Chosen, Opened
from .page_words import in_page_words, part_of
from .pictures import DRAWING
from .state import State
from .work import Work
from .worker import Worker

MOST_UNDO = 200
PATIENCE = 1.0  # seconds that a click waits for its answer before the page says how far it is


class NothingOpenError(HLMError):
    """There are no data yet."""


@dataclass(frozen=True, eq=False)
class Run:
    """One model estimated: what was asked and what came of it."""

    number: int
    state: State
    job: Job
    done: Estimated
    images: dict[str, bytes] = field(default_factory=dict)  # figures that were drawn, by what was asked

    @property
    def fit(self) -> AnyEstimates | PooledEstimates:
        """The estimates."""
        return self.done.fit

    @property
    def pooled(self) -> bool:
        """Whether several data sets were fitted."""
        return isinstance(self.fit, PooledEstimates)

    @property
    def normal(self) -> bool:
        """Whether it is one fit of a normal outcome."""
        return isinstance(self.fit, Estimates)

    @property
    def name(self) -> str:
        """What the run is called in lists."""
        return self.state.options.title or f"Model {self.number}"

    @property
    def tables(self) -> Tables:
        """What its report prints."""
        assert self.done.tables is not None
        return self.done.tables

    @cached_property
    def _results(self) -> Results:
        """What came of it where it is no fit of a normal outcome."""
        if isinstance(self.fit, GeneralizedEstimates):
            return results_of_likelihood(self.job, self.fit, self.done.messages)
        if isinstance(self.fit, PQLEstimates):
            return results_of_pql(self.job, self.fit, self.done.messages)
        assert isinstance(self.fit, PooledEstimates)
        job = replace(self.job, warnings=(*self.job.warnings, *self.done.messages))
        return results_of_pooled(job, self.fit, imputed_jobs(job))

    @cached_property
    def icc(self) -> str:
        """The intraclass correlation in words, of models whose intercept alone varies; else ""."""
        from ..derived.generalized_shares import generalized_icc
        from ..derived.intraclass import icc

        fit = self.fit
        if not isinstance(fit, Estimates | GeneralizedEstimates) or len(fit.random_names) != 1:
            return ""
        try:
            found = icc(fit) if isinstance(fit, Estimates) else generalized_icc(fit)
        except HLMError:
            return ""
        return in_page_words(str(found))

    @cached_property
    def report(self) -> str:
        """The report, as a part of a page."""
        if isinstance(self.fit, GeneralizedEstimates):  # whose figures have a tab of their own
            return likelihood_fragment(self.job, self.fit, self.done.messages)
        return html.fragment(self.tables) if self.normal else self._results.html()

    @cached_property
    def fragment(self) -> str:
        """The report without the style, which the window has."""
        return in_page_words(part_of(self.report))

    def page(self) -> str:
        """The report as a page of its own."""
        with DRAWING:
            if not isinstance(self.fit, Estimates):
                return self._results.html()
            return report(self.fit, self.tables, findings(self.fit))

    def listing(self) -> str:
        """HLM's listing."""
        return text.listing(self.tables) if self.normal else self._results.text()

    def json(self) -> str:
        """The results as ``hlmbayes run --json`` writes them."""
        if not isinstance(self.fit, Estimates):
            return self._results.json()
        return json_text.text(self.tables, findings(self.fit))


@dataclass(eq=False)
class Session:
    """One browser's data, model, runs and work; every change holds `lock`."""

    folder: Path
    worker: Worker
    patience: float = PATIENCE
    opened: Opened | None = None
    asked: Chosen | None = None  # data files whose id is still to be chosen
    state: State = field(default_factory=State)
    past: list[State] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    shown: int = 0  # the number of the run that is shown
    reading: Work | None = None  # of files
    then: Callable[[Opened | Chosen], None] = lambda found: None  # what is done with what was read
    fitting: Work | None = None
    fitted: tuple[State, Job] | None = None  # what is being, or was last, estimated
    priors: Priors = field(default_factory=Priors)
    work: Work | None = None  # the posterior
    drawn_of: tuple[State, Opened | None] | None = None  # the model and the data of the posterior
    resampling: Work | None = None  # a bootstrap
    mixed_shown: bool = False
    text_open: bool = False
    lock: RLock = field(default_factory=RLock)

    @property
    def here(self) -> Opened:
        """What is open.

        Raises
        ------
        NothingOpenError
            Nothing is.
        """
        if self.opened is None:
            raise NothingOpenError(
                "no data are open: click Open to choose files, or High School and Beyond for an example"
            )
        return self.opened

    @property
    def works(self) -> list[Work]:
        """What is or was being done in processes of their own."""
        every = (self.reading, self.fitting, self.work, self.resampling)
        return [work for work in every if work is not None]

    def read(
        self, then: Callable[[Opened | Chosen], None], act: Callable[..., object], *args: object
    ) -> None:
        """Start to read files with an act of `doing`; ``then`` takes what was read."""
        self.reading, self.then = self.worker.do("Reading files", act, *args), then

    def take_read(self) -> None:
        """Take up what was read, once it is.

        Raises
        ------
        HLMError
            Why it could not be.
        """
        work, self.reading = self.reading, None
        if work is not None:
            self.then(self.worker.result(work))

    def open(self, opened: Opened) -> None:
        """Take up data, with the model that came with them; runs of others stay in the list."""
        self.opened, self.asked, self.past, self.state = opened, None, [], opened.state

    def change(self, edit: Callable[[State], State]) -> None:
        """Change the model; what it was can be had again by `undo`."""
        new = edit(self.state)
        if new != self.state:
            self.past = [*self.past, self.state][-MOST_UNDO:]
            self.state = new

    def undo(self) -> None:
        """Go back by one change."""
        if self.past:
            self.state = self.past.pop()

    def job(self) -> Job:
        """What `run` would do."""
        here, state = self.here, self.state
        return state.beside.put(Job(
            state.known, state.options, here.source, f"{Path(here.source.mdm).stem}.hlm", state.algorithm,
            here.warnings, here.not_done, folder=here.folder,
        ))  # fmt: skip

    def run(self) -> None:
        """Start to estimate the model."""
        job = self.job()
        self.fitting = self.worker.do("An estimation", estimate, job, data=self.here.data)
        self.fitted = self.state, job

    def take_run(self) -> Run:
        """Add what was estimated to the list, once it is.

        Raises
        ------
        HLMError
            Why it could not be.
        """
        work, self.fitting = self.fitting, None
        if work is None or self.fitted is None:
            raise NothingOpenError("nothing is being estimated: click Run")
        number = 1 + max((run.number for run in self.runs), default=0)
        found = Run(number, *self.fitted, self.worker.result(work))
        self.runs.append(found)
        self.shown = number
        return found

    def find(self, number: int) -> Run:
        """The run of a number.

        Raises
        ------
        NothingOpenError
            There is none.
        """
        for run in self.runs:
            if run.number == number:
                return run
        raise NothingOpenError("that run is not in this session any more: click Run")

    @property
    def drawn_of_others(self) -> bool:
        """Whether the posterior is of other equations, settings or data than those that are open."""
        if self.work is None or self.drawn_of is None:
            return False
        then, opened = self.drawn_of
        one, two = ((s.model, s.options, s.beside) for s in (then, self.state))
        return one != two or opened is not self.opened

    def take(self, number: int) -> None:
        """Go back to the model of a run."""
        state = self.find(number).state
        self.change(lambda _: state)


class Sessions:
    """The sessions of one server, by the secret in a browser's cookie."""

    def __init__(self, worker: Worker | None = None, patience: float = PATIENCE) -> None:
        self.worker, self.patience = worker or Worker(), patience
        self._place = tempfile.TemporaryDirectory(prefix="hlmbayes-app-", ignore_cleanup_errors=True)
        self._by_key: dict[str, Session] = {}
        self._lock = Lock()

    def new(self, opened: Opened | None = None) -> tuple[str, Session]:
        """Begin a session; gives its key."""
        key = secrets.token_urlsafe(24)
        folder = Path(self._place.name, secrets.token_hex(8))
        folder.mkdir(mode=0o700)
        session = Session(folder, self.worker, self.patience)
        if opened is not None:
            session.open(opened)
        with self._lock:
            self._by_key[key] = session
        return key, session

    def get(self, key: str | None) -> Session | None:
        """The session of a key."""
        return self._by_key.get(key or "")

    @property
    def working(self) -> bool:
        """Whether something long is being done."""
        return any(work.running for session in self._by_key.values() for work in session.works)

    def close(self) -> None:
        """Stop what is being done and remove every file."""
        for session in self._by_key.values():
            for work in session.works:
                work.stop()
        self.worker.close()
        self._place.cleanup()
