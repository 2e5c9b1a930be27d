"""The gate as an ASGI app, in front of an app that says what reached it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg

from panel.access.entrance import opened
from panel.access.gate import HEALTH, Gate
from panel.access.hosts import Hosts
from panel.access.opening import Opening
from panel.access.role import HEADER
from panel.access.sessions import Sessions
from panel.access.store import AccessStore
from stack.home import Home

SITE = "http://192.0.2.7:8501"
PASSWORD, TOKEN = "correct horse battery", "machine-token"
BROWSER = {"Accept": "text/html,application/xhtml+xml"}


async def telling(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the headers and the messages that reached the app."""
    headers = [(name.decode(), value.decode()) for name, value in scope["headers"]]
    if scope["type"] == "http":
        text = "\n".join(f"{name}={value}" for name, value in headers).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": text})
        return
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": dict(headers)[HEADER.lower()]})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "bytes": message["bytes"]})


@dataclass
class Site:
    """An opened panel with a password and a code."""

    store: AccessStore
    sessions: Sessions
    gate: Gate
    code: str

    @asynccontextmanager
    async def visitor(self, address: str = "198.51.100.1") -> AsyncIterator[httpx.AsyncClient]:
        """Give a browser of somebody at ``address``."""
        transport = httpx.ASGITransport(self.gate, client=(address, 5000))
        async with httpx.AsyncClient(transport=transport, base_url=SITE) as client:
            yield client


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Site]:
    """Return a function that opens a panel, or leaves it on loopback."""

    def made(*, is_open: bool = True) -> Site:
        home = Home(tmp_path_factory.mktemp("home"))
        store = AccessStore(home)
        code = opened(store, Opening("192.0.2.7"), 8501, chosen=PASSWORD).code if is_open else ""
        sessions = Sessions(home.run / "sessions.json", store)
        hosts = Hosts(opened=is_open)
        gate = Gate(
            telling, opened=is_open, hosts=hosts, store=store, sessions=sessions, machine_token=TOKEN, look_s=0.02
        )
        return Site(store, sessions, gate, code)

    return made


@pytest.fixture(scope="module")
def strange(make: Callable[..., Site]) -> Site:
    """Give a panel into which nobody ever comes."""
    return make()


async def log_in(client: httpx.AsyncClient, password: str = PASSWORD, **more: str) -> httpx.Response:
    """Send the form of the login page."""
    return await client.post("/login", data={"password": password, **more}, headers={"Origin": SITE})


def test_without_a_session_nothing_passes(make: Callable[..., Site]) -> None:
    """A person is led to the way in and back to the page; everything else is told no; health alone is open."""

    async def tell() -> None:
        async with make().visitor() as client:
            led = await client.get("/alerts?alert=A", headers=BROWSER)
            assert (led.status_code, led.headers["location"]) == (303, "/join?next=/alerts%3Falert%3DA")
            for path in ("/", "/_stcore/host-config", "/media/x", "/static/x.js", f"{HEALTH}y", "/login/", "/%2Flogin"):
                assert (await client.get(path)).status_code == 401, path
            forged = await client.put("/_stcore/upload_file/x", headers={HEADER: "operator", "Origin": SITE})
            assert forged.status_code == 401
            assert (await client.get(HEALTH)).status_code == 200
            assert f"{HEADER.lower()}=reader" in (await client.get(HEALTH, headers={HEADER: "operator"})).text

    asyncio.run(tell())


def test_the_password_makes_an_operator_and_the_code_a_reader(make: Callable[..., Site]) -> None:
    """The app is told the role by the gate alone, whatever a browser sends; the cookie is kept from scripts."""

    async def tell() -> None:
        site = make()
        async with site.visitor() as operator, site.visitor() as reader:
            answer = await log_in(operator, next="/faults")
            assert (answer.status_code, answer.headers["location"]) == (303, "/faults")
            cookie = answer.headers["set-cookie"].lower()
            assert all(word in cookie for word in ("httponly", "samesite=lax", "max-age=43200"))
            typed = f" {site.code[:3].lower()}-{site.code[3:]}"
            assert (await reader.post("/join", data={"code": typed})).status_code == 303
            for client, role in ((operator, "operator"), (reader, "reader")):
                forged = {HEADER: "operator", HEADER.upper().replace("-", "_"): "operator"}
                said = (await client.get("/", headers=forged)).text.splitlines()
                assert [each for each in said if "role" in each] == [f"{HEADER.lower()}={role}"]
            sent = [(await each.put("/_stcore/upload_file/x")).status_code for each in (operator, reader)]
            assert sent == [200, 403]

    asyncio.run(tell())


def test_the_code_is_no_password_and_the_password_no_code(make: Callable[..., Site]) -> None:
    """Each way in takes its own secret only, and says nothing that helps; the machine's token is a password too."""

    async def tell() -> None:
        site = make()
        async with site.visitor() as client:
            wrong = [await log_in(client, site.code), await log_in(client, ""), await log_in(client, "x" * 9000)]
            wrong += [await client.post("/join", data={"code": each}) for each in (PASSWORD, "", "AAAAAA")]
            wrong.append(await client.post("/login", headers={"Authorization": "Bearer no"}))
            assert {each.status_code for each in wrong} == {401}
            assert not any("set-cookie" in each.headers for each in wrong)
            assert 'role="alert"' in wrong[0].text
            right = await client.post("/login", headers={"Authorization": f"Bearer {TOKEN}"})
            assert right.status_code == 303
            assert f"{HEADER.lower()}=operator" in (await client.get("/")).text

    asyncio.run(tell())


def test_guessing_is_slowed_for_the_guesser_alone(make: Callable[..., Site]) -> None:
    """After ten wrong tries an address has to wait, even with the right password; another comes in."""

    async def tell() -> None:
        site = make()
        async with site.visitor() as guesser, site.visitor("198.51.100.2") as other:
            seen = [(await guesser.post("/join", data={"code": f"AAAAA{i}"})).status_code for i in range(11)]
            assert seen == [401] * 10 + [429]
            late = await log_in(guesser)
            assert late.status_code == 429
            assert int(late.headers["retry-after"]) >= 1
            by_token = await guesser.post("/login", headers={"Authorization": f"Bearer {TOKEN}"})
            assert by_token.status_code == 303, "what nobody guesses is not slowed"
            assert (await log_in(other)).status_code == 303

    asyncio.run(tell())


def test_requests_with_another_sites_hand_in_them_go_no_further(make: Callable[..., Site]) -> None:
    """A foreign host, a foreign origin: refused before any secret is looked at, and on loopback as well."""

    async def tell() -> None:
        for is_open, own in ((True, SITE), (False, "http://127.0.0.1:8501")):
            site = make(is_open=is_open)
            async with site.visitor() as client:
                client.base_url = httpx.URL(own)
                assert (await client.get("/", headers={"Host": "evil.example"})).status_code == 403
                for origin in ("http://evil.example", "null", "http://127.0.0.1:9999"):
                    denied = await client.post("/login", data={"password": PASSWORD}, headers={"Origin": origin})
                    assert denied.status_code == 403
                    assert "set-cookie" not in denied.headers

    asyncio.run(tell())


def test_on_loopback_everyone_is_the_operator_without_a_login(make: Callable[..., Site]) -> None:
    """As it was; the pages of the login lead to the panel, and an unknown address of the panel is refused."""

    async def tell() -> None:
        site = make(is_open=False)
        async with site.visitor("127.0.0.1") as client:
            client.base_url = httpx.URL("http://localhost:8501")
            assert f"{HEADER.lower()}=operator" in (await client.get("/", headers={HEADER: "reader"})).text
            assert (await client.get("/login")).headers["location"] == "/"
            assert (await client.get("/", headers={"Host": "192.0.2.7:8501"})).status_code == 403

    asyncio.run(tell())


def test_logging_out_ends_the_session_itself(make: Callable[..., Site]) -> None:
    """A link alone logs nobody out; afterwards a copy of the cookie is worth nothing."""

    async def tell() -> None:
        site = make()
        async with site.visitor() as client, site.visitor() as thief:
            await log_in(client)
            thief.cookies = httpx.Cookies(client.cookies)
            assert (await client.get("/logout")).status_code == 200
            assert (await thief.get("/")).status_code == 200
            assert (await client.post("/logout", headers={"Origin": SITE})).headers["location"] == "/login"
            assert [(await each.get("/")).status_code for each in (client, thief)] == [401, 401]

    asyncio.run(tell())


def test_answers_may_not_be_framed_and_the_ways_in_are_not_kept(make: Callable[..., Site]) -> None:
    """Every answer forbids other sites to show it in a frame; pages with a form are not cached."""

    async def tell() -> None:
        site = make()
        async with site.visitor() as client:
            page = await client.get("/login?next=//evil.example")
            assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
            assert page.headers["cache-control"] == "no-store"
            assert 'name="next" value="/"' in page.text
            assert '<label for="secret">' in page.text
            await log_in(client)
            assert (await client.get("/")).headers["content-security-policy"] == "frame-ancestors 'self'"

    asyncio.run(tell())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.text(st.characters(codec="ascii", exclude_characters="?#"), max_size=30).map(lambda rest: f"/{rest}"),
    names=st.lists(st.sampled_from([HEADER, HEADER.lower(), "cookie", "x-forwarded-for", "authorization"]), max_size=3),
    value=st.sampled_from(["operator", "firedrill_x=1", f"Bearer {TOKEN}", "127.0.0.1"]),
)
def test_no_path_and_no_header_is_a_way_past_the_gate(strange: Site, path: str, names: list[str], value: str) -> None:
    """Whatever is asked without a session, the app behind the gate never hears of it, except for its health."""
    passed: list[Scope] = []

    async def record(scope: Scope, receive: Receive, send: Send) -> None:
        passed.append(scope)

    async def ignore(message: Message) -> None:
        del message

    async def nothing() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    strange.gate._app = record
    headers = [(b"host", b"192.0.2.7:8501"), *((name.lower().encode(), value.encode()) for name in names)]
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": headers}
    asyncio.run(
        strange.gate({**scope, "client": ("198.51.100.9", 1), "scheme": "http", "server": None}, nothing, ignore)
    )
    assert [each["path"] for each in passed] == ([HEALTH] if path == HEALTH else [])


@dataclass
class Socket:
    """The browser's end of a websocket, in memory."""

    sent: asyncio.Queue[Message] = field(default_factory=asyncio.Queue)
    came: asyncio.Queue[Message] = field(default_factory=asyncio.Queue)

    async def said(self) -> Message:
        """Return what comes next from the server."""
        return await asyncio.wait_for(self.came.get(), 20)

    def run(self, gate: Gate, **headers: str) -> Awaitable[None]:
        """Connect by these headers."""
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "websocket", "path": "/_stcore/stream", "query_string": b"", "headers": raw, "extensions": {}}
        self.sent.put_nowait({"type": "websocket.connect"})
        return asyncio.ensure_future(gate(scope, self.sent.get, self.came.put))


def test_a_websocket_needs_a_session_and_the_panels_own_page(make: Callable[..., Site]) -> None:
    """Without a cookie, or from a page of another site, its handshake is refused."""

    async def tell() -> None:
        site = make()
        token = f"firedrill_{site.store.read().panel}={site.sessions.begin('operator')}"
        for headers in (
            {"Host": "192.0.2.7:8501", "Origin": SITE, HEADER: "operator"},
            {"Host": "192.0.2.7:8501", "Origin": "http://evil.example", "Cookie": token},
            {"Host": "evil.example", "Origin": "http://evil.example", "Cookie": token},
        ):
            socket = Socket()
            await socket.run(site.gate, **headers)
            assert (await socket.said())["type"] == "websocket.close"
            assert socket.came.empty()

    asyncio.run(tell())


def test_a_reader_sends_what_draws_a_page_and_nothing_else(make: Callable[..., Site]) -> None:
    """A message that would make the panel forget everyone's state reaches it from the operator only."""
    clear, rerun = BackMsg(clear_cache=True).SerializeToString(), BackMsg(app_heartbeat=True).SerializeToString()

    async def tell() -> None:
        site = make()
        for role, expected in (("reader", [rerun]), ("operator", [clear, rerun])):
            cookie = f"firedrill_{site.store.read().panel}={site.sessions.begin(role)}"
            socket = Socket()
            ended = socket.run(site.gate, Host="192.0.2.7:8501", Origin=SITE, Cookie=cookie)
            assert (await socket.said())["type"] == "websocket.accept"
            assert (await socket.said())["text"] == role
            for data in (clear, rerun):
                socket.sent.put_nowait({"type": "websocket.receive", "bytes": data})
            assert [(await socket.said())["bytes"] for _ in expected] == expected
            socket.sent.put_nowait({"type": "websocket.disconnect", "code": 1001})
            await ended

    asyncio.run(tell())


def test_an_open_page_ends_with_its_session(make: Callable[..., Site]) -> None:
    """A new password closes the operator's websocket and leaves the reader's open."""

    async def tell() -> None:
        site = make()
        operator, reader, ended = Socket(), Socket(), {}
        for role, socket in (("operator", operator), ("reader", reader)):
            cookie = f"firedrill_{site.store.read().panel}={site.sessions.begin(role)}"
            ended[role] = socket.run(site.gate, Host="192.0.2.7:8501", Origin=SITE, Cookie=cookie)
            assert (await socket.said())["type"] == "websocket.accept"
            await socket.said()
        site.store.set_password("a newer password")
        closed = await operator.said()
        assert (closed["type"], closed["code"]) == ("websocket.close", 1008)
        await ended["operator"]
        reader.sent.put_nowait({"type": "websocket.receive", "bytes": BackMsg(app_heartbeat=True).SerializeToString()})
        assert (await reader.said())["type"] == "websocket.send"
        reader.sent.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await ended["reader"]

    asyncio.run(tell())
