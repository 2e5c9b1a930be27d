"""What ``firedrill up`` and ``firedrill access`` make and tell: password, code and addresses of an opened panel.

It writes the record and says things in words; it starts nothing and asks no one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from panel.access.opening import EVERY, Opening
from panel.access.pages import JOIN, LOGIN
from panel.access.passwords import new_password
from panel.access.store import AccessRecord, AccessStore

OPEN_SO = "firedrill up --panel-host 0.0.0.0"


@dataclass(frozen=True)
class Entrance:
    """An opened panel as it is told to a person. ``password`` is known only at the moment in which it was made."""

    operator: tuple[str, ...]
    audience: tuple[str, ...]
    code: str
    password: str
    has_password: bool

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield what to show: a word and what belongs to it."""
        yield "operator", "  ".join(self.operator)
        if self.password:
            yield "password", f"{self.password}   (shown this once; another: firedrill access --new-password)"
        elif self.has_password:
            yield "password", "made before, or chosen; another: firedrill access --new-password"
        else:
            yield "password", "none yet, nobody can log in: firedrill access --new-password"
        if self.code:
            yield "audience", "  ".join(self.audience)
            yield "code", f"{self.code}   (read-only; another: firedrill access --new-code)"
        else:
            yield "audience", "nobody; let them in with firedrill access --new-code"


def opened(store: AccessStore, opening: Opening, port: int, *, chosen: str) -> Entrance:
    """Keep how the panel is open and make what is missing; ``chosen`` is a password of the user's own, or empty."""
    store.open(opening.host, opening.names)
    made = ""
    if chosen:
        store.choose_password(chosen)
    elif store.read().password is None:
        made = new_password()
        store.set_password(made)
    return describe(store.read(), port, password=made)


def describe(record: AccessRecord, port: int, *, password: str = "", sites: tuple[str, ...] = ()) -> Entrance:
    """Return how to come in at ``port``; ``sites`` instead of the addresses of this machine, as inside a container."""
    found = sites or Opening(record.host, record.names).sites(port)
    return Entrance(
        operator=tuple(f"{each}{LOGIN}" for each in found),
        audience=tuple(f"{each}{JOIN}" for each in found),
        code=record.code,
        password=password,
        has_password=record.password is not None,
    )


def fits_containers(host: str) -> bool:
    """Say whether a panel in a container can be opened on ``host``: its port is asked on loopback too."""
    return host in EVERY or not Opening(host).listens_to_network
