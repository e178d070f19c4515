"""Who may talk to the app: its own pages and no other web page; where a token is asked for, whoever
has it. Around everything that Streamlit serves: pages, WebSocket, media, uploads."""

from __future__ import annotations

import hmac
import os
import secrets
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnected
from streamlit import cli_util, config
from streamlit.web.server import server_util
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

from cdp.files.private import NO_TOKEN, TOKEN, make_private

RANDOM = ("random", "1", "on", "true")
LEAST = 16
"""Letters of a token that a person chose."""
_PARAM = "token"
_HEALTH = "/_stcore/health"
"""Says whether the server is up, and nothing else."""
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport"
content="width=device-width"><title>Contrastive-DP Studio</title>
<style>body{{font:16px system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1rem}}
input,button{{font:inherit;padding:.4rem}}:root{{color-scheme:light dark}}</style>
<h1>This app asks for its token</h1><p>Open the address that it printed when it started, or enter the
token in that address.{wrong}</p>
<form><label>Token <input name="token" type="password" autofocus autocomplete="off"></label>
<button>Open</button></form></html>"""


def chosen_token(environment: Mapping[str, str]) -> str:
    """The token of this start: a new one for "random", the text itself for any other, "" for none.
    Raises SystemExit, with the remedy, for one that can be guessed, or that no cookie can hold."""
    token = environment.get(TOKEN, "").strip()
    if token.lower() in NO_TOKEN:
        return ""
    if token.lower() in RANDOM:
        return secrets.token_urlsafe(32)
    if len(token) < LEAST:
        raise SystemExit(
            f"{TOKEN} has {len(token)} letters, which can be guessed: set it to random, or to"
            f" {LEAST} letters or more"
        )
    if not token.isascii():
        raise SystemExit(f"{TOKEN} has letters beyond ASCII: set it to random, or leave them out")
    return token


@dataclass(frozen=True)
class Gate:
    """What stands before the app. token: that is asked for, "" for none."""

    token: str = ""

    @staticmethod
    def of_environment() -> Gate:
        """By CDP_TOKEN, which processes that the app starts do not get to see."""
        token = chosen_token(os.environ)
        os.environ.pop(TOKEN, None)
        return Gate(token)

    @property
    def middleware(self) -> list[Middleware]:
        return [Middleware(_Guard, token=self.token)]

    @asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncIterator[None]:
        """Around the life of a server: its files are private; with a token the address is printed
        that has it; a browser opens, which Streamlit does for its own server only."""
        make_private()
        address = _address()
        if self.token:
            address += f"/?{urlencode({_PARAM: self.token})}"
            cli_util.print_to_cli(f"  It asks for a token. Open: {address}\n")
        if not config.get_option("server.headless"):
            threading.Thread(target=cli_util.open_browser, args=(address,), daemon=True).start()
        yield


def _address() -> str:
    named = "browser.serverAddress"
    chosen = config.get_option(named) if config.is_manually_set(named) else ""
    listening = chosen or config.get_option("server.address") or "localhost"
    return server_util.get_url(server_util.get_display_address(listening)).rstrip("/")


class _Guard:
    """The first that sees a request, and the WebSocket's beginning. Refuses what asks for another
    host, what comes from a page of another origin, and what has no token where one is asked for."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(HTTPConnection(scope))
        if refusal is None:
            # Streamlit takes a connection that is gone for one that it has to close.
            with suppress(WebSocketDisconnected):
                await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: HTTP 403
        else:
            await refusal(scope, receive, send)

    def _refusal(self, request: HTTPConnection) -> Response | None:
        host = request.headers.get("host", "")
        if not is_host_allowed(host):
            remedy = "To allow it, add it to allowedHosts in .streamlit/config.toml."
            return PlainTextResponse(f"This app does not answer to {host[:200]!r}. {remedy}", 403)
        if is_foreign(request.headers.getlist("origin"), host):
            return PlainTextResponse("This app answers its own pages only.", 403)
        if not self.token or request.url.path.endswith(_HEALTH):
            return None
        cookie = f"cdp_token_{(request.scope.get('server') or ('', 0))[1]}"
        if self._is_token(request.cookies.get(cookie, "")):
            return None
        offered = request.query_params.get(_PARAM, "")
        if self._is_token(offered) and request.scope.get("method") == "GET":
            return self._let_in(request, cookie)
        wrong = " <strong>That was not it.</strong>" if offered else ""
        return HTMLResponse(_PAGE.format(wrong=wrong), 401, {"Cache-Control": "no-store"})

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), self.token.encode())

    def _let_in(self, request: HTTPConnection, cookie: str) -> Response:
        """The same address without the token, which stays in a cookie that no script sees."""
        rest = [pair for pair in request.query_params.multi_items() if pair[0] != _PARAM]
        # One slash: two would be the address of another host.
        place = f"/{request.url.path.lstrip('/')}" + (f"?{urlencode(rest)}" if rest else "")
        headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        answer = RedirectResponse(place, 303, headers)
        secure = request.url.scheme == "https"
        answer.set_cookie(cookie, self.token, httponly=True, samesite="lax", secure=secure)
        return answer


def is_foreign(origins: list[str], host: str) -> bool:
    """Whether a request was sent by a web page of another origin: another host, or another port of
    this one. origins: the Origin headers, which every browser sends with a WebSocket and no page can
    leave out; programs send none. host: the Host header, which is asked for."""
    allowed = config.get_option("server.corsAllowedOrigins")
    return any(origin not in allowed and _netloc(origin) != host.lower() for origin in origins)


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower() or "null"
    except ValueError:
        return "null"
