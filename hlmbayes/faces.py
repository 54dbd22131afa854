"""What users hold: a frozen record of results below, a face with methods on top."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from operator import attrgetter
from types import FunctionType
from typing import Any, ClassVar, Concatenate, NoReturn

from . import notebook
from .arguments import methods_in_words
from .errors import NotHereError
from .words import some


class Face:
    """A frozen record and the methods on it, which call downwards; the record is not for users.

    Parameters
    ----------
    record : object
        What the core computed. Core functions take the record, `record_of` finds it.
    """

    __slots__ = ("_record",)
    _record: Any
    _kinds: ClassVar[list[type[Face]]] = []

    def __init__(self, record: Any) -> None:
        object.__setattr__(self, "_record", record)

    def __init_subclass__(cls) -> None:
        methods_in_words(cls)
        Face._kinds.append(cls)

    def __getattr__(self, name: str) -> Any:
        """Say in words that another kind of face has what this one has not."""
        if name.startswith("_") or not kinds_with(name):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        self._lacks(name)

    def _lacks(self, name: str) -> NoReturn:
        raise NotHereError(f"{self._has_not(name)}: dir(...) of it lists what there is")

    def _has_not(self, name: str) -> str:
        """Say that it has not what others have."""
        have = [kind.__name__ for kind in kinds_with(name)]
        return f"a {type(self).__name__} has no {name}, which is of {some(have)}"

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be set")

    def _repr_html_(self) -> str:
        return notebook.shown(notebook.sentences(repr(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self._record,))


def kinds_with(name: str) -> list[type[Face]]:
    """Give the kinds that users hold, and not those that these are made of, which have a method."""
    leaves = [kind for kind in Face._kinds if not kind.__subclasses__()]
    return [kind for kind in leaves if isinstance(getattr(kind, name, None), property | FunctionType)]


def record_of(source: Any) -> Any:
    """Give the record under a face; what is no face is given back as it is."""
    return source._record if isinstance(source, Face) else source


def shown(name: str, says: str) -> Any:
    """Give a property of a face that shows an attribute of its record (a.b: of one of these); says it."""
    found = attrgetter(name)
    return property(lambda self: found(self._record), doc=says)


def asked[**P, R](function: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R]:
    """Give the method of a face that asks a core function about its record; its help is the function's."""

    def method(self: Any, /, *args: P.args, **options: P.kwargs) -> R:
        return function(self._record, *args, **options)

    update_wrapper(method, function)
    return method
