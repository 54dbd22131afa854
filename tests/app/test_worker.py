"""The process that reads and estimates: what it keeps, how it is stopped, and that it may be killed."""

from __future__ import annotations

import os
import time
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette")
from hlmbayes.app import doing
from hlmbayes.app.worker import BusyError, Worker, packed, unpacked
from hlmbayes.data.two_level import read
from hlmbayes.datasets import hsb_paths
from hlmbayes.errors import HLMError


def sleeps(say: Any, data: Any, *args: Any) -> None:
    """Take long, whatever is asked."""
    say("Sleeping")
    time.sleep(600)


def breaks(say: Any, data: Any, how: type[Exception]) -> None:
    """Fail."""
    raise how("boom")


def at_work(window: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let what the window asks for take long, and a click not wait for it."""
    monkeypatch.setattr(f"hlmbayes.app.doing.{name}", sleeps)
    monkeypatch.setattr("hlmbayes.app.session.estimate", sleeps)
    window.session.patience = 0.0


def said(window: SimpleNamespace, address: str) -> str:
    """What the page says once the work has begun."""
    for _ in range(600):
        text: str = window.client.get(address).text
        if "Sleeping" in text:
            return text
        time.sleep(0.02)
    raise AssertionError("the work does not begin")


def test_data_travel_once_and_are_named_afterwards():
    data = read(*hsb_paths(), id="id")
    sent = packed(data, None)
    there = unpacked(sent, None)
    assert dict(there.labels) == dict(data.labels)
    np.testing.assert_array_equal(there.level1["ses"], data.level1["ses"])
    back = packed({"of": there, "ses": there.level1["ses"], "more": MappingProxyType({"a": 1})}, there)
    assert len(back) < 300 < len(sent)
    found = unpacked(back, data)
    assert found["of"] is data
    assert found["ses"] is data.level1["ses"]
    assert found["more"]["a"] == 1


def test_an_estimation_is_stopped(model4, monkeypatch):
    at_work(model4, monkeypatch, "estimate")
    assert "Stop the estimation" in model4.client.post("/run").text
    assert "Stop the estimation" in said(model4, "/run")
    assert "still going on" in model4.client.post("/run").text
    page = model4.client.get("/").text
    assert 'hx-get="/run"' in page
    assert "Stopped after" in model4.client.post("/run/stop").text
    assert "Stopped after" in model4.client.get("/run").text  # what was asked while it was stopped
    monkeypatch.undo()
    model4.session.patience = 60.0
    assert "Results: Model 1" in model4.client.post("/run").text


def test_an_estimation_that_takes_a_while_is_shown_when_it_is_done(model4):
    model4.session.patience = 0.0
    assert "Stop the estimation" in model4.client.post("/run").text
    model4.session.fitting.wait(60)
    assert 'hx-get="/results/1"' in model4.client.get("/run").text
    assert "nothing is being estimated" not in model4.client.get("/run").text
    assert "12.096" in model4.client.get("/results/1").text


def test_a_killed_process_is_said_and_nothing_is_lost(model4, monkeypatch):
    before = model4.session.state
    at_work(model4, monkeypatch, "estimate")
    model4.client.post("/run")
    said(model4, "/run")
    os.kill(model4.session.worker._process.pid, 9)
    model4.session.fitting.wait(60)
    page = model4.client.get("/run").text
    assert "ended from outside (signal 9, SIGKILL)" in page
    assert model4.session.state == before
    monkeypatch.undo()
    model4.session.patience = 60.0
    assert "Results: Model 1" in model4.client.post("/run").text


def test_reading_is_stopped_and_killed(hsb, monkeypatch):
    at_work(hsb, monkeypatch, "example")
    assert 'aria-label="Reading"' in hsb.client.post("/example").text
    assert "Sleeping" in said(hsb, "/open")
    assert 'aria-label="Reading"' in hsb.client.get("/").text
    page = hsb.client.post("/open/stop").text
    assert "Reading was stopped" in page
    assert "Reading was stopped" in hsb.client.get("/open").text
    assert 'data-name="mathach"' in page
    hsb.client.post("/example")
    said(hsb, "/open")
    os.kill(hsb.session.worker._process.pid, 9)
    hsb.session.reading.wait(60)
    page = hsb.client.get("/open").text
    assert "ended from outside" in page
    assert 'data-name="mathach"' in page
    assert "Stopped" not in hsb.client.post("/open/stop").text


def test_what_goes_wrong_in_it_is_said(worker):
    for how, words in ((HLMError, "boom"), (MemoryError, "not enough memory"), (ValueError, "not yours")):
        work = worker.do("A test", breaks, how)
        assert work.wait(60)
        with pytest.raises(HLMError, match=words):
            worker.result(work)


def test_it_does_one_thing_at_a_time_and_is_started_anew():
    worker = Worker()
    work = worker.do("A nap", sleeps)
    with pytest.raises(BusyError, match="A nap is still going on"):
        worker.do("Another", sleeps)
    work.stop()
    again = worker.do("Reading", doing.open_files, [*hsb_paths()], None)
    assert again.wait(60)
    opened = worker.result(again)
    assert opened.data.n_rows == 7185
    worker.close()
