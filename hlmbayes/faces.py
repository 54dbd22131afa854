"""What users hold: a frozen record of results below, a face with methods on top."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Concatenate

from . import notebook
from .arguments import methods_in_words


class Face:
    """A frozen record and the methods on it, which call downwards; the record is not for users.

    Parameters
    ----------
    record : object
        What the core computed. Core functions take the record, `record_of` finds it.
    """

    __slots__ = ("_record",)
    _record: Any

    def __init__(self, record: Any) -> None:
        object.__setattr__(self, "_record", record)

    def __init_subclass__(cls) -> None:
        methods_in_words(cls)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be set")

    def _repr_html_(self) -> str:
        return notebook.shown(notebook.sentences(repr(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self._record,))


def record_of(source: Any) -> Any:
    """Give the record under a face; what is no face is given back as it is."""
    return source._record if isinstance(source, Face) else source


def shown(name: str, says: str) -> Any:
    """Give a property of a face that shows one of its record's attributes; ``says`` documents it."""
    return property(lambda self: getattr(self._record, name), doc=says)


def asked[**P, R](function: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R]:
    """Give the method of a face that asks a core function about its record; its help is the function's."""

    def method(self: Any, /, *args: P.args, **options: P.kwargs) -> R:
        return function(self._record, *args, **options)

    update_wrapper(method, function)
    return method
