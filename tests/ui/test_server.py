"""The app answers its own pages and no other web page; with a token, whoever has it; and what it
writes nobody else can read. Against real servers, by a program that can send what it likes."""

from __future__ import annotations

import asyncio
import http.client
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from queue import Queue
from urllib.parse import urlsplit

import pytest
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketDisconnected
from streamlit import config
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from cdp.ui.server import LEAST, Gate, _Guard, chosen_token, is_foreign
from tests.e2e.driver import Server, started

STREAM = "/_stcore/stream"
EVERYTHING = (
    "/",
    "/train?dataset=x",
    "/static/index.html",
    "/media/x.png",
    "/_stcore/host-config",
    "/_stcore/upload_file/a/b",
    "/component/x/index.html",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """As ``streamlit run app.py`` has it."""
    with started(tmp_path_factory.mktemp("plain")) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The same where a token is asked for."""
    with started(tmp_path_factory.mktemp("token"), CDP_TOKEN="random") as running:
        yield running


def stream(server: Server, origin: str | None, *, host: str = "127.0.0.1", cookie: str = "") -> int:
    """The status that a WebSocket's beginning is answered with: 101 where it opens. host: by which
    name the server is asked."""
    there = ("127.0.0.1", urlsplit(server.url).port)
    url = f"ws://{host}:{there[1]}{STREAM}"
    more = {"Cookie": cookie} if cookie else {}
    sent = Origin(origin) if origin is not None else None
    kind = [Subprotocol("streamlit")]
    try:
        with connect(
            url,
            origin=sent,
            additional_headers=more,
            subprotocols=kind,
            proxy=None,
            address=there,
        ):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


def get(
    server: Server, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
) -> http.client.HTTPResponse:
    """An answer as it came, redirections not followed."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=20)
    connection.request(method, path, headers=dict(headers or {}))
    return connection.getresponse()


def test_the_websocket_opens_for_the_apps_own_page_and_for_programs(server: Server) -> None:
    assert stream(server, server.url) == 101
    assert stream(server, None) == 101
    port = urlsplit(server.url).port
    assert stream(server, f"http://localhost:{port}", host="localhost") == 101


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:3000",
        "http://127.0.0.1:3000",
        "http://localhost",
        "http://localhost:{port}",
        "http://evil.example",
        "http://evil.example:{port}",
        "http://127.0.0.1:{port}.evil.example",
        "http://evil.example@127.0.0.1:{port}x",
        "null",
        "file://",
        "http://[",
    ],
)
def test_it_does_not_open_for_a_page_of_another_port_or_host(server: Server, origin: str) -> None:
    assert stream(server, origin.format(port=urlsplit(server.url).port)) == 403


def test_no_request_of_a_foreign_page_is_answered_and_a_name_bound_anew_is_none_of_ours(
    server: Server,
) -> None:
    foreign = {"Origin": "http://localhost:3000"}
    for path in EVERYTHING:
        assert get(server, path, foreign).status == 403
    assert get(server, "/_stcore/upload_file/a/b", foreign, "PUT").status == 403
    assert get(server, "/", {"Origin": server.url}).status == 200
    port = urlsplit(server.url).port
    assert stream(server, f"http://evil.example:{port}", host="evil.example") == 403
    for path in EVERYTHING:
        assert get(server, path, {"Host": f"evil.example:{port}"}).status == 403
    assert get(server, "/", {"Host": f"localhost:{port}"}).status == 200


@pytest.mark.parametrize(
    ("origin", "host", "foreign"),
    [
        ("http://localhost:8501", "localhost:8501", False),
        ("https://Lab.Example", "lab.example", False),
        ("http://[::1]:8501", "[::1]:8501", False),
        ("http://localhost:8501", "127.0.0.1:8501", True),
        ("http://localhost:8502", "localhost:8501", True),
        ("http://localhost", "localhost:8501", True),
        ("null", "", True),
        ("", "", True),
    ],
)
def test_an_origin_is_the_apps_own_where_it_is_what_was_asked_for(
    origin: str, host: str, foreign: bool
) -> None:
    assert is_foreign([origin], host) is foreign
    assert not is_foreign([], host)
    assert is_foreign([f"http://{host}", "http://localhost:3000"], host)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_what_the_app_writes_is_its_owners_alone(server: Server) -> None:
    assert "Umask:\t0077" in Path(f"/proc/{server.pid}/status").read_text()


def _address(server: Server) -> str:
    """The one that was printed, from its path on."""
    line = next(line for line in server.log.read_text().splitlines() if "token=" in line)
    printed = urlsplit(line.split("Open: ")[1])
    assert printed.netloc == urlsplit(server.url).netloc
    return f"{printed.path}?{printed.query}"


def test_without_the_token_nothing_is_served(guarded: Server) -> None:
    for path in EVERYTHING:
        for method in ("GET", "PUT", "POST"):
            assert get(guarded, path, method=method).status == 401, path
    assert get(guarded, "/?token=wrong").status == 401
    assert get(guarded, "/", {"Cookie": f"cdp_token_{urlsplit(guarded.url).port}="}).status == 401
    assert stream(guarded, guarded.url) == 403
    assert stream(guarded, None) == 403
    assert get(guarded, "/_stcore/health").status == 200, "for who looks whether it is up"


def test_the_printed_address_lets_in_and_leaves_the_token_in_a_cookie(guarded: Server) -> None:
    answer = get(guarded, f"/train?seed=3&{_address(guarded).split('?')[1]}")
    assert (answer.status, answer.getheader("Location")) == (303, "/train?seed=3")
    cookie = answer.getheader("Set-Cookie") or ""
    assert "HttpOnly" in cookie and "samesite=lax" in cookie.lower()
    known = {"Cookie": cookie.split(";")[0]}
    assert get(guarded, "/", known).status == 200
    assert stream(guarded, guarded.url, cookie=known["Cookie"]) == 101
    assert stream(guarded, "http://localhost:3000", cookie=known["Cookie"]) == 403
    assert get(guarded, "/media/x.png", known).status == 404


def test_the_way_in_leads_to_no_other_host(guarded: Server) -> None:
    query = _address(guarded).split("?")[1]
    for path in ("//evil.example/", "/\\evil.example", "///evil.example"):
        location = get(guarded, f"{path}?{query}").getheader("Location") or "/"
        assert location.startswith("/") and location[1:2] not in ("/", "\\"), location


def test_a_token_is_random_at_each_start_or_long_enough_to_be_kept() -> None:
    assert chosen_token({}) == chosen_token({"CDP_TOKEN": "0"}) == ""
    first, second = (chosen_token({"CDP_TOKEN": "random"}) for _ in range(2))
    assert first != second and len(first) > 40
    assert chosen_token({"CDP_TOKEN": "x" * LEAST}) == "x" * LEAST
    with pytest.raises(SystemExit, match="can be guessed"):
        chosen_token({"CDP_TOKEN": "x" * (LEAST - 1)})


@pytest.mark.parametrize(("token", "opened"), [("", ""), ("a secret", "/?token=a+secret")])
def test_a_browser_opens_where_streamlit_opens_one(
    token: str, opened: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses: Queue[str] = Queue()
    monkeypatch.setattr("cdp.ui.server.make_private", lambda: None)
    monkeypatch.setattr("streamlit.cli_util.open_browser", addresses.put)

    async def start() -> None:
        async with Gate(token).lifespan(None):
            pass

    given = {"server.address": "0.0.0.0", "server.port": 8501, "browser.serverPort": 8501}
    for headless in (True, False):
        given["server.headless"] = headless
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(config, "get_option", lambda name: given.get(name, ""))
            asyncio.run(start())
    assert addresses.get(timeout=5) == f"http://localhost:8501{opened}"
    assert addresses.empty()


def test_what_the_app_starts_does_not_see_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_TOKEN", "a token of sixteen letters")
    assert Gate.of_environment() == Gate("a token of sixteen letters")
    assert "CDP_TOKEN" not in os.environ


def test_a_connection_that_is_gone_is_no_failure_and_any_other_is() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise scope["error"]

    def asked(error: Exception) -> None:
        scope = {"type": "websocket", "path": "/", "headers": [(b"host", b"localhost")]}
        asyncio.run(_Guard(app, "")(scope | {"error": error}, None, None))  # type: ignore[arg-type]

    asked(WebSocketDisconnected("gone"))
    with pytest.raises(RuntimeError, match="broken"):
        asked(RuntimeError("broken"))
