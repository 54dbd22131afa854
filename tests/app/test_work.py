"""Long work: in its own process, with a page that asks how far it is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")
from hlmbayes.app.work import Work, draw_posterior, resample, start
from hlmbayes.errors import SamplingError


class Pipe:
    """What a process has said."""

    def __init__(self, *said: tuple[str, str]) -> None:
        self.said = list(said)

    def poll(self) -> bool:
        return bool(self.said)

    def recv(self) -> tuple[str, str]:
        return self.said.pop(0)


class Process:
    """A process that is there, or ended with a code."""

    def __init__(self, exitcode: int | None = None) -> None:
        self.exitcode = exitcode
        self.ended: list[str] = []

    def is_alive(self) -> bool:
        return self.exitcode is None

    def terminate(self) -> None:
        self.ended.append("terminate")

    def join(self, seconds: float) -> None:
        self.ended.append("join")

    def kill(self) -> None:
        self.ended.append("kill")


def work(process: Any, *said: tuple[str, str]) -> Any:
    return Work("Posterior", Path(), process, Pipe(*said))


def test_it_says_how_far_it_is_and_how_it_ended():
    running = work(Process(), ("says", "Drawing"))
    assert running.running
    assert running.said == "Drawing"
    done = work(Process(0), ("says", "x"), ("done", ""))
    assert not done.running
    assert (done.status, done.error) == ("done", "")
    failed = work(Process(0), ("failed", "no draws"))
    failed.look()
    assert (failed.status, failed.error) == ("failed", "no draws")


@pytest.mark.parametrize(("code", "words"), [(-9, "signal 9, SIGKILL"), (-99, "unknown"), (1, "code 1")])
def test_one_that_was_killed_is_said(code, words):
    killed = work(Process(code))
    assert not killed.running
    assert words in killed.error
    assert "ended from outside" in killed.error


def test_one_that_does_not_end_is_killed():
    process = Process()
    stopped = work(process)
    stopped.stop()
    assert stopped.status == "stopped"
    assert process.ended == ["terminate", "join", "kill"]


def test_the_posterior_on_the_page(hsb, monkeypatch):
    def begin(title: str, folder: Path, act: Any, *args: Any) -> Any:
        folder.mkdir()
        draw_posterior(lambda text: None, folder, *args)
        return Work(title, folder, Process(0), Pipe(("done", "")))

    monkeypatch.setattr("hlmbayes.app.tasks.start", begin)
    client = hsb.client
    assert "no outcome is chosen" in client.get("/panel/posterior").text
    hsb.edit("outcome", "mathach")
    assert "half-t" in client.get("/panel/posterior").text
    assert "no draws yet" in client.get("/posterior/sensitivity").text
    assert client.get("/posterior/posterior.nc").status_code == 422
    page = client.post("/posterior", data={"draws": "60", "chains": "2", "seed": "1"}).text
    assert "Posterior of the two-level model" in page
    assert "<style>" not in page
    for name in ("posterior.html", "posterior.txt", "posterior.json", "posterior.nc"):
        assert client.get(f"/posterior/{name}").status_code == 200
    assert "What moves the draws" in client.get("/posterior/sensitivity").text
    assert "as they were" not in client.get("/panel/posterior").text
    hsb.edit("none", "ses")
    assert "as they were" in client.get("/panel/posterior").text  # of the model without ses
    client.post("/undo")
    assert "as they were" not in client.get("/panel/posterior").text
    client.post("/example")  # the data read again, without a model
    assert "as they were" in client.get("/panel/posterior").text
    hsb.edit("outcome", "mathach")
    assert "half-t" in client.post("/posterior/again").text
    hsb.session.work = Work("Posterior", Path(), Process(), Pipe(("says", "Drawing")))
    assert "Drawing ..." in client.get("/panel/posterior").text
    assert "stop that first" in client.post("/posterior", data={}).text
    assert "Stopped after" in client.post("/posterior/stop").text
    assert "wanted a whole number" in client.post("/posterior", data={"draws": "x"}).text


def test_the_bootstrap_on_the_page(model4, monkeypatch):
    said: list[str] = []

    def begin(title: str, folder: Path, act: Any, *args: Any) -> Any:
        folder.mkdir()
        resample(said.append, folder, *args)
        return Work(title, folder, Process(0), Pipe(("done", "")))

    monkeypatch.setattr("hlmbayes.app.tasks.start", begin)
    model4.client.post("/run")
    page = model4.client.post("/bootstrap/1", data={"n": "4", "seed": "1"}).text
    assert "Bootstrap of Model 1" in page
    assert "g01" in page
    assert said[-1] == "4 of 4 data sets simulated and estimated"
    assert "g01" in model4.client.get("/bootstrap").text
    model4.session.resampling = Work("Bootstrap", Path(), Process(), Pipe(("says", "10 of 1000")))
    assert "10 of 1000 ..." in model4.client.get("/bootstrap").text
    assert "stop that first" in model4.client.post("/bootstrap/1").text
    assert "Stopped after" in model4.client.post("/bootstrap/stop").text


def fails(say: Any, folder: Path) -> None:
    say("begun")
    raise SamplingError("nothing to draw")


@pytest.mark.slow
def test_a_process_of_its_own(tmp_path):
    found = start("Test", tmp_path, fails)
    begin = time.monotonic()
    while found.running and time.monotonic() - begin < 60:
        time.sleep(0.05)
    assert (found.status, found.error, found.said) == ("failed", "nothing to draw", "begun")
