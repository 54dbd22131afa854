"""`hlmbayes app`: the address is there at once, the browser opens while the program gets ready to answer."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Thread, current_thread, main_thread

import jinja2  # noqa: F401 - what is not installed is said before an address is
import starlette  # noqa: F401
import uvicorn  # noqa: F401

from ..errors import OutputError

IDLE = 3600.0  # seconds after the last page closed
HOST = "127.0.0.1"


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


@contextmanager
def _ended_by_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C end the program at once while nothing is open yet; the server then has its own way."""
    ours = current_thread() is main_thread()
    before = signal.signal(signal.SIGINT, lambda *_: os._exit(0)) if ours else None
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGINT, before)


def serve(
    files: Sequence[str] = (), *, id: str = "", port: int = 0, browser: bool = True, idle: float = IDLE
) -> None:
    """Serve the window until Ctrl-C, or an hour after the last page closed."""
    opened = None
    if files:
        from .opening import open_named

        opened = open_named(files, id)
    listening, token = free_socket(port), secrets.token_urlsafe(24)
    listening.listen()
    address = f"http://{HOST}:{listening.getsockname()[1]}/?token={token}"
    with _ended_by_ctrl_c():
        print(f"hlmbayes app: {address}", flush=True)
        if browser:
            Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        from .serving import answer

        answer(listening, token, opened, idle)
