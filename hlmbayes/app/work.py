"""Long work in a process of its own: the page stays alive, and the work can be stopped."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from ..errors import HLMError
from ..runs.jobs import Job
from .page_words import in_page_words

LOG = logging.getLogger("hlmbayes.app")
Status = Literal["running", "done", "failed", "stopped"]
ENDS = 5.0  # seconds that a process has to end before it is killed


@dataclass(eq=False)
class Work:
    """One piece of work: its process, what it says of itself, and where its files are."""

    title: str
    folder: Path
    process: Any
    pipe: Connection
    begin: float = field(default_factory=time.monotonic)
    end: float = 0.0
    said: str = ""
    error: str = ""
    status: Status = "running"
    result: Any = None

    @property
    def seconds(self) -> float:
        """How long it has taken so far, or took."""
        return (self.end or time.monotonic()) - self.begin

    @property
    def running(self) -> bool:
        """Whether it still goes on."""
        self.look()
        return self.status == "running"

    def look(self) -> None:
        """Take in what the process has said, and whether it is still there."""
        if self.status != "running":
            return
        alive = self.process.is_alive()
        with suppress(EOFError, OSError):
            while self.pipe.poll():
                kind, text = self.pipe.recv()
                if kind == "says":
                    self.said = text
                elif kind == "failed":
                    self._ended("failed", text)
                else:
                    self.result = text
                    self._ended("done")
        if self.status == "running" and not alive:
            code = self.process.exitcode
            killed = code is not None and code < 0
            how = f"signal {-code}, {_signal_name(-code)}" if killed else f"code {code}"
            self._ended(
                "failed",
                f"the work was ended from outside ({how}): the computer may have run out of memory. The "
                "model and the runs are all here; start it again, with less at a time if it was memory",
            )

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended, but not longer than so many seconds; gives whether it has."""
        end = time.monotonic() + seconds
        while self.running and (left := end - time.monotonic()) > 0:
            with suppress(EOFError, OSError):
                self.pipe.poll(min(left, 0.1))
        return not self.running

    def stop(self) -> None:
        """End the process, if it still goes on."""
        if self.running:
            self._ended("stopped")
        self.process.terminate()
        self.process.join(ENDS)
        if self.process.is_alive():
            self.process.kill()

    def _ended(self, status: Status, error: str = "") -> None:
        self.status, self.error, self.end = status, error, time.monotonic()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def start(title: str, folder: Path, act: Callable[..., None], *args: Any) -> Work:
    """Start ``act(say, folder, *args)`` in a process of its own; ``say`` sends a sentence to the page."""
    folder.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_do, args=(there, act, folder, *args), daemon=True)
    process.start()
    there.close()
    return Work(title, folder, process, here)


def _do(pipe: Connection, act: Callable[..., None], folder: Path, *args: Any) -> None:
    """Do the work in the process, and say how it ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the server, which ends this
    os.environ.setdefault("MPLBACKEND", "Agg")
    try:
        act(lambda text: pipe.send(("says", text)), folder, *args)
        pipe.send(("done", ""))
    except HLMError as error:
        pipe.send(("failed", in_page_words(str(error))))
    except Exception as error:
        pipe.send(("failed", fault(error)))


def fault(error: Exception) -> str:
    """Say that the program is at fault, and keep where."""
    LOG.error("hlmbayes app", exc_info=error)
    return (
        f"this is an error of the program, not yours ({type(error).__name__}: {error}). Your model is as it "
        "was; the terminal shows where it happened"
    )


def draw_posterior(
    say: Callable[[str], None], folder: Path, job: Job, priors: str, settings: dict[str, Any]
) -> None:
    """Draw from the posterior of a job's model, and leave page, text, JSON and draws in the folder.

    ``priors`` are what `Priors.to_json` gave.
    """
    say("Reading the data and drawing")
    from ..priors.priors import Priors
    from ..runs.sampled import sample_job

    results = sample_job(
        job, {}, save=str(folder / "posterior.nc"), priors=Priors.from_json(priors), **settings
    )
    say("Writing what came of it")
    for name, make in (("posterior.html", results.html), ("posterior.txt", results.text)):
        (folder / name).write_text(make(), encoding="utf-8")
    (folder / "posterior.json").write_text(results.json(), encoding="utf-8")
    for file in results.files:
        file()


def resample(say: Callable[[str], None], folder: Path, job: Job, n: int, seed: int) -> None:
    """Simulate the fitted model of a job n times, estimate each, and leave what came of it in the folder."""
    say("Reading the data and estimating")
    from ..inference.bootstrap import bootstrap
    from ..runs.estimate import fit_job, read_data

    def progress(done: int, whole: int) -> None:
        if done % 10 == 0 or done == whole:
            say(f"{done:,} of {whole:,} data sets simulated and estimated")

    found = bootstrap(fit_job(job, read_data(job)), n, seed, progress=progress)
    (folder / "bootstrap.txt").write_text(str(found), encoding="utf-8")
