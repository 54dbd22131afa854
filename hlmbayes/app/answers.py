"""From a request to the part of the page it changes; what goes wrong is said there, in words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from ..errors import HLMError
from .guard import MOST_BYTES, too_large
from .page_words import in_page_words
from .pages import show
from .session import Session
from .work import fault


class Form:
    """What a form sent, and what stands in the address."""

    def __init__(self, data: FormData, path: dict[str, Any]) -> None:
        self.data, self.path = data, path

    def get(self, name: str) -> Any:
        """A value as it is, None where there is none."""
        return self.path[name] if name in self.path else self.data.get(name)

    def text(self, name: str) -> str:
        """A value as text without blanks around it, "" where there is none."""
        value = self.get(name)
        return value.strip() if isinstance(value, str) else ""

    def texts(self, name: str) -> list[str]:
        """All values of a name that are not empty."""
        return [value for value in self.data.getlist(name) if isinstance(value, str) and value]

    def number(self, name: str, default: int | None = None, called: str = "") -> int:
        """A whole number; ``called`` is what the page calls it.

        Raises
        ------
        HLMError
            It is none, or there is none and no default.
        """
        value = self.get(name)
        if value in (None, "") and default is not None:
            return default
        try:
            return int(value)
        except (TypeError, ValueError):
            raise HLMError(f"{called or name}: wanted a whole number, got {value!r}") from None

    def real(self, name: str, called: str) -> float | None:
        """A number, with a point or a comma; None where there is none; the page calls it ``called``."""
        value = self.text(name)
        try:
            return float(value.replace(",", ".")) if value else None
        except ValueError:
            raise HLMError(f"{called}: wanted a number, got {value!r}") from None

    def files(self) -> list[UploadFile]:
        """The files that were sent."""
        return [value for value in self.data.getlist("files") if isinstance(value, UploadFile)]


Act = Callable[[Session, Form], dict[str, Any]]
Endpoint = Callable[[Request], Awaitable[Response]]


def changing(template: str, act: Act, beside: str = "") -> Endpoint:
    """An endpoint that changes the session and answers with a template.

    What goes wrong is said in the element of id ``beside``, and the form stays as it was filled in; where
    there is none, the template says it.
    """

    async def endpoint(request: Request) -> Response:
        try:
            async with request.form(max_files=20, max_fields=5000, max_part_size=MOST_BYTES) as data:
                form = Form(data, request.path_params)
                return await run_in_threadpool(_answer, request, template, act, form, beside)
        except ClientDisconnect:  # the page is gone, or what it sent was cut off by the guard
            return PlainTextResponse(too_large("what was sent"), 413)

    return endpoint


def showing(template: str, act: Act) -> Endpoint:
    """An endpoint that shows something of the session."""

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(_answer, request, template, act, _asked(request))

    return endpoint


def sending(act: Callable[[Session, Form], Response]) -> Endpoint:
    """An endpoint that sends a file; what goes wrong is said in plain text."""

    async def endpoint(request: Request) -> Response:
        form = _asked(request)

        def answer() -> Response:
            session: Session = request.scope["session_here"]
            try:
                return act(session, form)  # without the lock: a figure may take long, and changes nothing
            except HLMError as error:
                return PlainTextResponse(f"Not done: {in_page_words(str(error))}", 422)
            except Exception as error:
                return PlainTextResponse(f"Not done: {fault(error)}", 500)

        return await run_in_threadpool(answer)

    return endpoint


def _asked(request: Request) -> Form:
    values: list[tuple[str, str | UploadFile]] = [*request.query_params.multi_items()]
    return Form(FormData(values), request.path_params)


def _answer(request: Request, template: str, act: Act, form: Form, beside: str = "") -> Response:
    session: Session = request.scope["session_here"]
    with session.lock:
        try:
            values = act(session, form)
        except HLMError as error:
            return _wrong(request, template, in_page_words(str(error)), beside)
        except Exception as error:
            return _wrong(request, template, fault(error), beside)
        return show(request, template, **values)


def _wrong(request: Request, template: str, error: str, beside: str) -> Response:
    if not beside:
        return show(request, template, error=error)
    response = show(request, "message.html", error=error)
    response.headers.update({"HX-Retarget": f"#{beside}", "HX-Reswap": "innerHTML"})
    return response
