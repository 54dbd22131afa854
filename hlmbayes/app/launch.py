"""`hlmbayes app`: the server on this machine, the browser opened, and when it stops."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Timer

import uvicorn

from ..errors import HLMError, OutputError
from .guard import Door
from .opening import Opened, choose, kind_of, open_command, open_data
from .server import application, new_door

IDLE = 3600.0  # seconds after the last page closed
ENDS = (signal.SIGINT, signal.SIGTERM)
HOST = "127.0.0.1"


class Server(uvicorn.Server):
    """A server that stops when no page has asked anything for long."""

    def __init__(self, config: uvicorn.Config, door: Door, idle: float, begun: Callable[[], object]) -> None:
        super().__init__(config)
        self.door, self.idle, self.begun = door, idle, begun

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and say so."""
        await super().startup(sockets)
        self.begun()

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


def open_named(files: Sequence[str], id: str = "") -> Opened | None:
    """Open what the command line names: a command file, data, or nothing.

    Raises
    ------
    HLMError
        A file that is not there or cannot be read, or an id that cannot be told.
    """
    paths = [Path(file).absolute() for file in files]
    if not paths:
        return None
    commands = [path for path in paths if kind_of(path) == "command"]
    data = [path for path in paths if path not in commands]
    if len(commands) > 1:
        raise HLMError(f"got {len(commands)} command files: the window opens one at a time")
    chosen = choose(data) if data else None
    if chosen is not None and id:
        chosen = replace(chosen, id=id)
    if commands:
        return open_command(commands[0], chosen)
    assert chosen is not None
    if not chosen.id:
        raise HLMError("which variable says the unit cannot be told from these files: add --id NAME")
    return open_data(chosen)


def free_socket(port: int) -> socket.socket:
    """A socket of a port of this machine, any free one for 0.

    Raises
    ------
    OutputError
        The port is taken.
    """
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((HOST, port))
    except (OSError, OverflowError) as error:
        made.close()
        raise OutputError(f"port {port} cannot be had ({error}): leave --port out, or name another") from None
    return made


def serve(
    files: Sequence[str] = (), *, id: str = "", port: int = 0, browser: bool = True, idle: float = IDLE
) -> None:
    """Serve the window until Ctrl-C, or an hour after the last page closed."""
    opened = open_named(files, id)
    door = new_door()
    listening = free_socket(port)
    address = f"http://{HOST}:{listening.getsockname()[1]}/?token={door.token}"
    config = uvicorn.Config(
        application(door, opened), log_level="error", access_log=False, server_header=False, lifespan="on",
        timeout_graceful_shutdown=2,
    )  # fmt: skip

    def begun() -> None:
        print(f"hlmbayes app: {address}", flush=True)
        if browser:
            Timer(0.2, lambda: webbrowser.open(address)).start()

    server = Server(config, door, idle, begun)
    with suppress(KeyboardInterrupt):
        asyncio.run(server.serve(sockets=[listening]))
    door.sessions.close()
