"""Who may ask: this machine's browser with the secret, from the window's own pages, and nobody else."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .session import Session, Sessions

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
LOCAL = ("127.0.0.1", "localhost")
MOST_BYTES = 1_000_000_000  # of one upload


@dataclass(slots=True)
class Door:
    """The secret of one server, the sessions behind it, and when it was last used."""

    sessions: Sessions
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    last: float = field(default_factory=time.monotonic)

    def refusal(self, scope: Scope) -> tuple[int, str]:
        """Why a request is refused, as a status and a sentence; 0 where it is not."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        port = scope["server"][1] if scope.get("server") else None
        if _host(host) not in [(name, port) for name in LOCAL]:
            return 403, f"This window answers this machine alone, not {host or 'a request without a host'}."
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{host}":
            return 403, "This was asked by the page of another site, which may not."
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none") and (
            scope["method"] != "GET"
        ):
            return 403, "This was asked by the page of another site, which may not."
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > MOST_BYTES:
            return 413, too_large("what was sent")
        return 0, ""


def too_large(what: str) -> str:
    """Say that a file cannot be sent, and what to do."""
    return (
        f"{what} is larger than 1 GB, too large to be sent to the window. Start it with the file instead, "
        "which is then read where it lies: hlmbayes app FILE"
    )


def _host(host: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(f"//{host}")
        return parts.hostname or "", parts.port or 80
    except ValueError:
        return "", None


class Guard:
    """Middleware that refuses strangers and says in each answer what a page may load."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self.app, self.door = app, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        status, why = self.door.refusal(scope)
        session, cookie = None, ""
        if not status:
            session, cookie = self._session(Request(scope))
            if session is None:
                status = 403
                why = (
                    "This page wants the address that the program printed when it started, with its "
                    "token: use that (the program may have been started anew since)."
                )
        if status:
            await PlainTextResponse(why, status)(scope, receive, send_with_headers)
            return
        self.door.last = time.monotonic()
        scope["session_here"], scope["cookie"] = session, cookie
        await self.app(scope, _counted(receive), send_with_headers)

    def _session(self, request: Request) -> tuple[Session | None, str]:
        """The session of a request, and the cookie that it is to be given."""
        found = self.door.sessions.get(request.cookies.get(cookie_name(request)))
        if found is not None:
            return found, ""
        given = request.query_params.get("token", "")
        right = secrets.compare_digest(given.encode(), self.door.token.encode())
        if request.method != "GET" or request.url.path != "/" or not right:
            return None, ""
        key, session = self.door.sessions.new(request.app.state.opened if "app" in request.scope else None)
        return session, key


def _counted(receive: Receive) -> Receive:
    """Give what is received, and end it where it is more than a request may have, whatever it said before."""
    total = 0

    async def receive_counted() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        return message if total <= MOST_BYTES + 10_000_000 else {"type": "http.disconnect"}

    return receive_counted


def cookie_name(request: Request) -> str:
    """The cookie of this server, which shares 127.0.0.1 with others of other ports."""
    return f"hlmbayes-{request.url.port or 80}"
