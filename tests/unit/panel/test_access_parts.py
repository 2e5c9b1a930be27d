"""The parts of access by themselves: codes, hashes, tries, hosts, the way back, and what is kept in files."""

from __future__ import annotations

import inspect
import stat
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults.client import ConductorClient
from panel.access import attempts, pages, sessions
from panel.access.attempts import ALL, EACH, Attempts
from panel.access.entrance import opened
from panel.access.errors import AccessUnreadable, BadOpening, PasswordTooShort, ReadOnly
from panel.access.guarded import GuardedConductor
from panel.access.hosts import Hosts, host_of
from panel.access.opening import NAMES, VARIABLE, Opening
from panel.access.passwords import ALPHABET, CODE_LENGTH, Hashed, new_code, new_password, same_code
from panel.access.sessions import Sessions
from panel.access.store import PASSWORD, PASSWORD_FILE, AccessStore, take_password
from stack.home import Home

LOCAL = Hosts(opened=False)
OPEN = Hosts(opened=True, names=("drill.example",))


class Clock:
    """A clock that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@given(typed=st.text(ALPHABET, min_size=CODE_LENGTH, max_size=CODE_LENGTH), other=st.text(max_size=12))
def test_a_code_is_the_same_however_it_is_typed_and_no_other_is(typed: str, other: str) -> None:
    """Case, blanks and hyphens do not matter; everything else does, and no text fits a code that is not there."""
    assert same_code(f" {typed[:3].lower()}-{typed[3:]} ", typed)
    assert same_code(other, typed) == ("".join(other.split()).replace("-", "").upper() == typed)
    assert not same_code(other, "")


def test_passwords_are_kept_as_salted_hashes_and_made_so_that_nobody_guesses_them() -> None:
    """The same password hashes differently each time and fits both; another does not; a short one is refused."""
    password = new_password()
    one, two = Hashed.of(password), Hashed.of(password)
    assert one.digest != two.digest
    assert one.fits(password)
    assert two.fits(password)
    assert not one.fits(password.upper())
    assert not one.fits("x" * 100_000)
    assert password not in one.model_dump_json()
    assert len({new_password() for _ in range(50)} | {new_code() for _ in range(50)}) == 100
    with pytest.raises(PasswordTooShort, match="fewer than 8 characters"):
        Hashed.of("short")


def test_wrong_tries_are_limited_for_each_address_and_for_all_together() -> None:
    """Ten at once, then one every six seconds; a right one costs nothing; many addresses meet the common limit."""
    clock = Clock()
    tries = Attempts(clock=clock)
    assert [tries.take("10.0.0.1") for _ in range(int(EACH))] == [0.0] * int(EACH)
    assert tries.take("10.0.0.1") == pytest.approx(1 / attempts.EACH_PER_S)
    assert tries.take("10.0.0.2") == 0.0
    clock.now += 6.0
    assert tries.take("10.0.0.1") == 0.0
    tries.give_back("10.0.0.1")
    assert tries.take("10.0.0.1") == 0.0
    taken = sum(tries.take(f"10.1.{i // 250}.{i % 250}") == 0.0 for i in range(300))
    assert taken < ALL
    assert tries.take("10.9.9.9") > 0.0


def test_a_subscriber_of_ipv6_is_one_address() -> None:
    """Addresses of one /64 share their tries, another network does not; IPv4 in IPv6 counts as IPv4."""
    tries = Attempts(clock=Clock())
    for i in range(int(EACH)):
        assert tries.take(f"2001:db8::{i:x}") == 0.0
    assert tries.take("2001:db8::ffff") > 0.0
    assert tries.take("2001:db8:0:1::1") == 0.0
    for _ in range(int(EACH)):
        tries.take("::ffff:10.0.0.1")
    assert tries.take("10.0.0.1") > 0.0


@pytest.mark.parametrize("header", ["localhost:8501", "127.0.0.1", "[::1]:8501", "LOCALHOST"])
def test_loopback_names_are_always_the_panels_own(header: str) -> None:
    """By these names it is called on this machine, whether it is open or not."""
    assert LOCAL.allows(header)
    assert OPEN.allows(header)


@pytest.mark.parametrize(
    "header", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.com", "a@localhost", "localhost:x", "", None]
)
def test_other_names_are_not(header: str | None) -> None:
    """A name that could be made to point here is refused, opened or not."""
    assert not LOCAL.allows(header)
    assert not OPEN.allows(header)


def test_an_opened_panel_is_called_by_address_or_by_a_given_name() -> None:
    """Addresses in numbers cannot be made to point elsewhere; names are those that were given."""
    assert OPEN.allows("192.168.1.5:8501")
    assert OPEN.allows("[fd00::5]:8501")
    assert OPEN.allows("Drill.Example:443")
    assert not LOCAL.allows("192.168.1.5:8501")


@given(host=st.text(max_size=30))
def test_no_header_breaks_the_reading_of_hosts(host: str) -> None:
    """Whatever a header holds, a host comes out or nothing; nothing that fails is allowed."""
    found = host_of(host)
    assert found is None or found == found.lower()
    assert not (found is None and OPEN.allows(host))


def test_only_the_panels_own_pages_ask_for_more_than_reading() -> None:
    """The origin is the host itself, or a name that was given; ``null`` and every other one is another site."""
    assert OPEN.same_site("http://192.168.1.5:8501", "192.168.1.5:8501")
    assert OPEN.same_site("https://drill.example", "192.168.1.5:8501")
    assert OPEN.same_site(None, "192.168.1.5:8501")
    for other in ("null", "http://192.168.1.5:9999", "http://evil.example", "file://", "http://[", "//192.168.1.5"):
        assert not OPEN.same_site(other, "192.168.1.5:8501"), other


@given(address=st.one_of(st.text(), st.text("/\\?#@:.%ae\t\n ").map(lambda rest: f"/{rest}")))
def test_after_a_login_the_way_leads_into_the_panel_only(address: str) -> None:
    """Whatever stands in ``next``: a browser that follows it stays at this site."""
    way = pages.inside(address)
    parts = urlsplit(way)
    assert way.startswith("/")
    assert not way.startswith(("//", "/\\"))
    assert not parts.netloc
    assert not parts.scheme
    assert not set(way) & set("\\\t\r\n ")


def test_the_way_back_keeps_pages_and_their_filters() -> None:
    """A page with its filters is kept; the gate's own pages would go round in a circle."""
    assert pages.inside("/alerts?alert=HighErrorRate") == "/alerts?alert=HighErrorRate"
    assert [pages.inside(each) for each in ("/login", "/join?next=/x", "//evil.com", "/\\evil.com")] == ["/"] * 4


def test_what_is_kept_is_private_and_holds_no_password(tmp_path: Path) -> None:
    """The file is for its owner alone and has the hash; a second opening makes nothing new."""
    store = AccessStore(Home(tmp_path))
    first = opened(store, Opening("0.0.0.0"), 8501, chosen="")  # noqa: S104 - nothing is bound
    again = opened(store, Opening("0.0.0.0"), 8501, chosen="")  # noqa: S104 - as above
    assert first.password
    assert again.password == ""
    assert again.code == first.code
    assert first.password not in store.path.read_text()
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    record = store.read().password
    assert record is not None
    assert record.fits(first.password)
    assert all("shown this once" not in text for _, text in again.lines())
    store.path.write_text("{broken")
    with pytest.raises(AccessUnreadable, match="new-password"):
        store.read()
    assert store.known().password is None


def test_sessions_outlive_the_process_and_end_with_time_logout_and_a_new_password(tmp_path: Path) -> None:
    """A restarted panel knows who is in; twelve hours, a logout, and a new password or code end it."""
    clock, store, path = Clock(), AccessStore(Home(tmp_path)), tmp_path / "sessions.json"
    opened(store, Opening("10.0.0.1"), 8501, chosen="a long password")
    known = Sessions(path, store, clock=clock)
    operator, reader, gone = known.begin("operator"), known.begin("reader"), known.begin("reader")
    known.end(gone)
    assert operator not in path.read_text()
    later = Sessions(path, store, clock=clock)
    assert [later.role(each) for each in (operator, reader, gone, "")] == ["operator", "reader", None, None]
    store.choose_password("a long password")
    assert later.role(operator) == "operator"
    store.set_password("another password")
    assert [later.role(operator), later.role(reader)] == [None, "reader"]
    store.set_code("")
    assert later.role(reader) is None
    late = later.begin("operator")
    clock.now += sessions.LASTS_S - 1
    assert later.role(late) == "operator"
    clock.now += 2
    assert later.role(late) is None


def test_there_is_room_for_operators_however_many_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are too many sessions the oldest reader goes, not the operator."""
    monkeypatch.setattr(sessions, "MOST", 3)
    store = AccessStore(Home(tmp_path))
    opened(store, Opening("10.0.0.1"), 8501, chosen="a long password")
    known = Sessions(tmp_path / "sessions.json", store)
    operator, *readers = known.begin("operator"), known.begin("reader"), known.begin("reader"), known.begin("reader")
    assert [known.role(each) for each in (operator, *readers)] == ["operator", None, "reader", "reader"]


def test_a_damaged_file_of_sessions_sends_everyone_to_the_login(tmp_path: Path) -> None:
    """It is no reason not to start."""
    path = tmp_path / "sessions.json"
    path.write_text("[1, 2")
    known = Sessions(path, AccessStore(Home(tmp_path)))
    assert known.role(known.begin("operator")) == "operator"


def test_how_far_the_panel_is_open_comes_from_the_environment() -> None:
    """Loopback unless something else is named; what others are told is a name, or this machine's address."""
    assert not Opening.from_environment({}).opened
    assert not Opening.from_environment({VARIABLE: "localhost"}).opened
    named = Opening.from_environment({VARIABLE: "192.0.2.7", NAMES: "drill.example, "})
    assert named.opened
    assert named.sites(8501) == ("http://drill.example:8501",)
    assert Opening("fd00::5").sites(8501) == ("http://[fd00::5]:8501",)
    proxied = Opening.from_environment({NAMES: "drill.example"})
    assert proxied.opened
    assert not proxied.listens_to_network
    assert proxied.sites(8501) == ("https://drill.example",)


def test_it_listens_on_loopback_too_and_says_where_it_cannot() -> None:
    """The supervisor asks at 127.0.0.1; an address of another machine is a clear error."""
    bound = Opening("127.0.0.2").sockets(0)
    try:
        assert sorted(each.getsockname()[0] for each in bound) == ["127.0.0.1", "127.0.0.2"]
    finally:
        for each in bound:
            each.close()
    with pytest.raises(BadOpening, match=r"--panel-host=192\.0\.2\.7: this machine has no such address"):
        Opening("192.0.2.7").sockets(0)


def test_a_given_password_is_taken_out_of_the_environment(tmp_path: Path) -> None:
    """No process that is started later finds it there; a file that is not there is a clear error."""
    file = tmp_path / "password"
    file.write_text("from a file\n")
    environment = {PASSWORD: "from a variable", PASSWORD_FILE: str(file), "HOME": "/x"}
    assert take_password(environment) == "from a file"
    assert environment == {"HOME": "/x"}
    assert take_password({PASSWORD: "from a variable"}) == "from a variable"
    with pytest.raises(BadOpening, match="cannot be read"):
        take_password({PASSWORD_FILE: str(tmp_path / "none")})


def _acting() -> list[str]:
    methods = inspect.getmembers(ConductorClient, inspect.isfunction)
    return [name for name, method in methods if "actor" in inspect.signature(method).parameters and name[0] != "_"]


@pytest.mark.parametrize("name", [*_acting()])
def test_whatever_acts_through_the_conductor_asks_first(name: str) -> None:
    """Every method that stands in the journal is refused for a reader before anything is sent; journal() only reads."""

    def refuse() -> None:
        raise ReadOnly

    client = GuardedConductor("http://127.0.0.1:9", "token", allow=refuse)
    if name == "journal":
        assert "journal" not in vars(GuardedConductor)
        return
    parameters = [each for each in inspect.signature(getattr(client, name)).parameters.values() if each.name != "actor"]
    with pytest.raises(ReadOnly, match="reading along"):
        getattr(client, name)(*[None] * len(parameters), actor="panel")
