"""The window for tests: a client that has the cookie, and one that clicks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

pytest.importorskip("starlette")
from starlette.testclient import TestClient

from hlmbayes.app.guard import Door
from hlmbayes.app.server import application
from hlmbayes.app.session import Sessions
from hlmbayes.app.worker import Worker

BASE = "http://127.0.0.1:80"


class Shared(Worker):
    """The worker of all tests."""

    def close(self) -> None:
        """Stay, for the next test."""


@pytest.fixture(scope="session")
def worker() -> Iterator[Worker]:
    found = Shared()
    yield found
    Worker.close(found)


@pytest.fixture
def window(worker: Worker) -> Iterator[SimpleNamespace]:
    door = Door(Sessions(worker, patience=60.0))
    with TestClient(application(door), base_url=BASE) as client:
        page = client.get("/", params={"token": door.token})
        assert page.status_code == 200
        session = next(iter(door.sessions._by_key.values()))
        yield SimpleNamespace(client=client, door=door, session=session, page=page, edit=edits(client))


def edits(client: TestClient) -> Callable[..., str]:
    def edit(act: str, name: str = "", level: int = 1, **more: str) -> str:
        answer = client.post("/edit", data={"act": act, "name": name, "level": str(level), **more})
        assert answer.status_code == 200
        return answer.text

    return edit


@pytest.fixture
def hsb(window: SimpleNamespace) -> SimpleNamespace:
    window.client.post("/example")
    return window


@pytest.fixture
def model4(hsb: SimpleNamespace) -> SimpleNamespace:
    hsb.edit("outcome", "mathach")
    for name in ("sector", "meanses"):
        hsb.edit("none", name, 2)
    hsb.edit("group", "ses")
    hsb.edit("u", "u1")
    hsb.edit("equation", "b1")
    for name in ("sector", "meanses"):
        hsb.edit("none", name, 2)
    return hsb
