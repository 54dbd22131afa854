"""Checks of what callers give: in words, with what was got.

What a function says itself of an argument comes first. Where it crashed on one that is of another kind than
its signature asks for, has none of that name, or misses one, `in_words` says so; a crash although all are of
that kind is a defect of the package, and stays the exception that it is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import update_wrapper
from inspect import Parameter, signature, unwrap
from math import isfinite
from numbers import Integral, Real
from types import FunctionType, NoneType, UnionType
from typing import Any, Literal, TypeAliasType, Union, get_args, get_origin
from weakref import WeakSet

from .errors import ArgumentError, HLMError, HypothesisError, UnknownArgumentError
from .words import nearest

HLM_VERSIONS = ("6", "7")
CRASHES = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError)
PLAIN = {
    str: ("a text", str), bool: ("True or False", bool), int: ("a whole number", Integral),
    float: ("a number", Real),
}  # fmt: skip


def one_or_several(names: str | Sequence[str]) -> tuple[str, ...]:
    """Give names as a tuple; one name may stand alone."""
    return tuple(names) if isinstance(names, Iterable) and not isinstance(names, str) else (names,)


def name_or_none(what: str, got: Any, error: type[HLMError]) -> str | None:
    """Give a name, or None where there is none; raise ``error`` where it is neither."""
    if got is not None and (not isinstance(got, str) or not got.strip()):
        raise error(f"{what} wants the name of a variable, got {got!r}")
    return got


def whole(what: str, got: Any, least: int, error: type[HLMError]) -> int:
    """Give a whole number of at least ``least`` as an int; raise ``error`` where it is none."""
    if isinstance(got, bool) or not isinstance(got, Integral) or got < least:
        raise error(f"{what} must be a whole number of at least {least}, got {got!r}")
    return int(got)


def seed_or_none(got: Any, error: type[HLMError]) -> int | None:
    """Give a seed, or None for another one every time; raise ``error`` where it is neither."""
    return None if got is None else whole("seed", got, 0, error)


def seed_or_new(got: Any, error: type[HLMError]) -> int:
    """Give a seed, a new one where there is None: what is drawn with it can be drawn again."""
    return int.from_bytes(os.urandom(4)) if got is None else whole("seed", got, 0, error)


def not_negative(what: str, got: Any, error: type[HLMError]) -> float:
    """Give a finite number of at least 0 as a float; raise ``error`` where it is none."""
    if isinstance(got, bool) or not isinstance(got, Real) or not isfinite(got) or got < 0:
        raise error(f"{what} must be a number of at least 0, got {got!r}")
    return float(got)


def hlm_version(got: Any, error: type[HLMError]) -> str:
    """Give the version of HLM whose rules, words and names are wanted, "6" or "7"; else raise ``error``."""
    if isinstance(got, bool) or str(got) not in HLM_VERSIONS:
        raise error(f"hlm={got!r} is not known: wanted '6' or '7' (HLM 8 has those of 7)")
    return str(got)


def check_prob(prob: float) -> float:
    """Give a probability; raise unless it is a share between 0 and 1."""
    if not isinstance(prob, Real) or not 0 < prob < 1:
        raise HypothesisError(f"prob={prob!r}: a share between 0 and 1 is wanted, for example 0.95")
    return prob


# --- crashes over an argument --------------------------------------------------------------------


SAYING: WeakSet[Callable[..., Any]] = WeakSet()  # the functions that say it in words already


def in_words[**P, R](function: Callable[P, R], own: int = 0, name: str | None = None) -> Callable[P, R]:
    """Give a function that says in words over which argument it crashed; not over the ``own`` first ones.

    ``name`` is what callers know it by.

    Raises
    ------
    ArgumentError
        It crashed, and an argument is not what its signature asks for.
    """
    if function in SAYING:
        return function

    def asked(*args: P.args, **options: P.kwargs) -> R:
        try:
            return function(*args, **options)
        except CRASHES as error:
            if isinstance(error, HLMError):
                raise
            _refuse_misfit(function, args, options, own, asked.__name__)
            odd = list(_mistaken(function, args, options, own))
            if not odd:
                raise
            raise ArgumentError(odd[0]) from error

    update_wrapper(asked, function)
    asked.__name__ = name or asked.__name__
    SAYING.add(asked)
    return asked


def methods_in_words[T](cls: type[T]) -> type[T]:
    """Do so for every public method that a class defines, and for taking out one of its parts."""
    for name, value in list(vars(cls).items()):
        if isinstance(value, FunctionType) and (name == "__getitem__" or not name.startswith("_")):
            setattr(cls, name, in_words(value, 1, name))
    return cls


def accepted(function: Callable[..., Any], options: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Give the options that go on to a function; refuse one it has not as ``name`` itself would."""
    there = [p.name for p in signature(function).parameters.values() if p.default is not Parameter.empty]
    _refuse_unknown(name, [each for each in options if each not in there], there)
    return dict(options)


def _refuse_misfit(
    function: Callable[..., Any], args: Sequence[Any], options: Mapping[str, Any], own: int, name: str
) -> None:
    """Refuse a call that a signature does not allow: unknown arguments, missing ones, too many."""
    try:
        signature(function).bind(*args, **options)
        return
    except TypeError as error:
        why = str(error)
    every = list(signature(function).parameters.values())[own:]
    by_name = [p for p in every if p.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)]
    there = [p.name for p in by_name]
    if all(p.kind is not Parameter.VAR_KEYWORD for p in every):
        _refuse_unknown(name, [each for each in options if each not in there], there)
    given = {*options, *(p.name for p in every[: max(0, len(args) - own)])}
    lacking = [p.name for p in by_name if p.default is Parameter.empty and p.name not in given]
    if lacking:
        raise UnknownArgumentError(f"{name}() wants {lacking[0]}=, which was not given")
    raise UnknownArgumentError(f"{name}(): {why}. {_there(there)}: give each once, by name")


def _refuse_unknown(name: str, unknown: Sequence[str], there: Sequence[str]) -> None:
    if unknown:
        close = nearest(unknown[0], there)
        meant = f"; {close}= may be meant" if close else ""
        raise UnknownArgumentError(f"{name}() has no argument {unknown[0]}=. {_there(there)}{meant}")


def _there(names: Sequence[str]) -> str:
    return f"It has {', '.join(f'{each}=' for each in names)}" if names else "It has none with a name"


def _mistaken(
    function: Callable[..., Any], args: Iterable[Any], options: Mapping[str, Any], own: int
) -> Iterator[str]:
    """Say of each argument that is not what the signature asks for what was wanted, and what was got."""
    bound = signature(function).bind(*args, **options)
    for name, got in list(bound.arguments.items())[own:]:
        parameter = bound.signature.parameters[name]
        wanted = _hint(unwrap(function), parameter)
        several = parameter.kind is Parameter.VAR_POSITIONAL
        for value in got if several else (got,):
            if parameter.kind is not Parameter.VAR_KEYWORD and not _fits(value, wanted):
                yield f"{name}{'' if several else '='} wants {_said(wanted)}, got {_shown(value)}"


def _hint(function: Callable[..., Any], parameter: Parameter) -> Any:
    """Give the type a parameter is annotated with, Any where its names are there for type checkers only."""
    try:
        return eval(str(parameter.annotation), vars(sys.modules[function.__module__]))
    except (NameError, AttributeError, SyntaxError, TypeError):
        return Any


def _fits(got: Any, wanted: Any) -> bool:
    """Tell whether an argument is of a type; types that are not known here fit everything."""
    if isinstance(wanted, TypeAliasType):
        return _fits(got, wanted.__value__)
    kind, parts = get_origin(wanted) or wanted, get_args(wanted)
    if kind in (Union, UnionType):
        return any(_fits(got, part) for part in parts)
    if kind is Literal:
        return any(type(got) is type(part) and got == part for part in parts)
    if kind is Any or kind in (None, NoneType):
        return kind is Any or got is None
    if kind is bool:
        return type(got).__name__ in ("bool", "bool_")
    if kind in PLAIN:
        return isinstance(got, PLAIN[kind][1]) and not isinstance(got, bool) and got == got
    if kind in (Mapping, dict):
        own = zip(got.keys(), got.values(), strict=True) if isinstance(got, Mapping) else ()
        return isinstance(got, Mapping) and all(all(map(_fits, item, parts)) for item in own)
    if kind in (Sequence, Iterable, list, tuple):
        if not isinstance(got, Iterable) or isinstance(got, str | bytes | Mapping | Iterator):
            return isinstance(got, Iterator)
        if getattr(got, "ndim", 1) != 1:  # a frame, a matrix
            return False
        values = list(got)
        return bool(values) and all(_fits(value, part) for value in values for part in parts[:1])
    return not isinstance(kind, type) or isinstance(got, kind)


def _said(wanted: Any) -> str:
    """Name a type in words."""
    if isinstance(wanted, TypeAliasType):
        return _said(wanted.__value__)
    kind, parts = get_origin(wanted) or wanted, get_args(wanted)
    if kind in (Union, UnionType):
        return " or ".join(dict.fromkeys(_said(part) for part in parts if part is not NoneType))
    if kind is Literal:
        return " or ".join(repr(part) for part in parts)
    if kind in PLAIN:
        return PLAIN[kind][0]
    if kind in (Mapping, dict):
        return "a mapping by name, such as {'ses': 1}"
    if kind in (Sequence, Iterable, list, tuple):
        return f"a list of {_said(parts[0]).removeprefix('a ')}s" if parts and parts[0] is str else "a list"
    return getattr(kind, "__name__", "something else")


def _shown(got: Any) -> str:
    """Show what was got in at most one line."""
    text = " ".join(repr(got).split())
    return text if len(text) <= 60 else f"{text[:57]}... ({type(got).__name__})"
