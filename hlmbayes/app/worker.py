"""The process that reads files and estimates, kept ready: what takes long can be stopped.

It keeps the data that it read, or was sent, last. What goes between the two processes then names the arrays
of these data instead of having them, so that a fit of millions of rows comes back in milliseconds.
"""

from __future__ import annotations

import io
import multiprocessing
import pickle
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from ..data.table import Columns
from ..data.two_level import TwoLevelData
from ..errors import HLMError
from .opening import Opened
from .work import Work, fault

Say = Callable[[str], None]


class BusyError(HLMError):
    """The process is at something else."""


class Worker:
    """The process as the server sees it; it does one thing at a time."""

    def __init__(self) -> None:
        self._process: Any = None
        self._pipe: Any = None
        self._data: TwoLevelData | None = None  # what the process keeps
        self._now: Work | None = None

    def begin(self) -> None:
        """Start the process, where there is none; it is ready about a second later."""
        if self._process is not None and self._process.is_alive():
            return
        context = multiprocessing.get_context("spawn")
        self._pipe, there = context.Pipe()
        self._process = context.Process(target=serve, args=(there,), daemon=True)
        self._process.start()
        there.close()
        self._data = None

    def do(self, title: str, act: Callable[..., Any], *args: Any, data: TwoLevelData | None = None) -> Work:
        """Start ``act(say, data, *args)`` in the process, which is sent the data if it has others.

        Raises
        ------
        BusyError
            It is still at something else.
        """
        if self._now is not None and self._now.running:
            raise BusyError(f"{self._now.title} is still going on: stop that first, or wait")
        self.begin()
        if data is not None and data is not self._data:
            self._pipe.send(("data", packed(data, None)))
            self._data = data
        self._pipe.send(("do", packed((act, args), self._data)))
        self._now = Work(title, Path(), self._process, self._pipe)
        return self._now

    def result(self, work: Work) -> Any:
        """Give what came of work that is done.

        Raises
        ------
        HLMError
            Nothing did, and why.
        """
        if work.status != "done":
            raise HLMError(work.error)
        found = unpacked(work.result, self._data)
        work.result = found
        if isinstance(found, Opened):
            self._data = found.data
        return found

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()


def serve(pipe: Connection) -> None:
    """Do what the server asks, one thing after the other, until it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the server, which ends this
    from ..runs import analysis, pooled  # noqa: F401 - so that the first model need not wait for them

    data: TwoLevelData | None = None
    while True:
        try:
            kind, content = pipe.recv()
        except EOFError:
            return
        if kind == "data":
            data = unpacked(content, None)
            continue
        try:
            act, args = unpacked(content, data)
            found = act(lambda text: pipe.send(("says", text)), data, *args)
            answer = packed(found, None if isinstance(found, Opened) else data)
            data = found.data if isinstance(found, Opened) else data
            pipe.send(("done", answer))
        except HLMError as error:
            pipe.send(("failed", str(error)))
        except MemoryError:
            pipe.send(
                ("failed", "there is not enough memory for this: close other programs, or take fewer rows")
            )
        except Exception as error:
            pipe.send(("failed", fault(error)))


def packed(value: Any, data: TwoLevelData | None) -> bytes:
    """Give a value as bytes, in which arrays of ``data`` are named."""
    buffer = io.BytesIO()
    _Pickler(buffer, data).dump(value)
    return buffer.getvalue()


def unpacked(content: bytes, data: TwoLevelData | None) -> Any:
    """Give what `packed` made bytes of, on the other side."""
    return _Unpickler(content, data).load()


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, data: TwoLevelData | None) -> None:
        super().__init__(file, protocol=5)
        self._known = {id(part): k for k, part in enumerate(_parts(data))}

    def persistent_id(self, value: Any) -> int | None:
        """Name what the other side has."""
        return self._known.get(id(value)) if isinstance(value, np.ndarray | TwoLevelData) else None

    def reducer_override(self, value: Any) -> Any:
        """Let columns travel that are loaded when they are asked for."""
        return (dict, (dict(value),)) if isinstance(value, Columns) else NotImplemented


class _Unpickler(pickle.Unpickler):
    def __init__(self, content: bytes, data: TwoLevelData | None) -> None:
        super().__init__(io.BytesIO(content))
        self._known = _parts(data)

    def persistent_load(self, place: Any) -> Any:
        """Give what was named."""
        return self._known[place]


def _parts(data: TwoLevelData | None) -> list[Any]:
    """The data and their arrays, in an order that both sides have."""
    if data is None:
        return []
    return [data, data.unit_ids, data.unit, *data.level1.values(), *data.level2.values()]
