"""The server while it runs: how it answers, and when it stops."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from .guard import Door
from .opening import Opened
from .server import application
from .session import Sessions

ENDS = (signal.SIGINT, signal.SIGTERM)


class Server(uvicorn.Server):
    """A server that stops when no page has asked anything for long."""

    def __init__(self, config: uvicorn.Config, door: Door, idle: float) -> None:
        super().__init__(config)
        self.door, self.idle = door, idle

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let Ctrl-C and a request to end stop the server, which is no error."""
        ours = threading.current_thread() is threading.main_thread()
        before = {s: signal.signal(s, self.handle_exit) for s in ENDS} if ours else {}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop now."""
        quiet = time.monotonic() - self.door.last > self.idle
        if quiet and counter % 10 == 0 and not self.door.sessions.working:
            return True
        return await super().on_tick(counter)


def answer(listening: socket.socket, token: str, opened: Opened | None, idle: float) -> None:
    """Answer what comes in at a socket until Ctrl-C, or until nothing has come in for long."""
    door = Door(Sessions(), token)
    config = uvicorn.Config(
        application(door, opened), log_level="error", access_log=False, server_header=False, lifespan="on",
        timeout_graceful_shutdown=2,
    )  # fmt: skip
    try:
        asyncio.run(Server(config, door, idle).serve(sockets=[listening]))
    finally:
        door.sessions.close()
