"""Passwords and codes: how they are made, how a password is kept (salted scrypt), how what was typed is compared.

Nothing here reads or writes a file.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Self

from pydantic import BaseModel, ConfigDict

from panel.access.errors import PasswordTooShort

ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Without I, L, O, 0 and 1: whoever types from a projector cannot take one for another."""
CODE_LENGTH = 6
SHORTEST = 8
_LONGEST = 1024


def new_password() -> str:
    """Return a password of 99 random bits in five groups, quick to type."""
    return "-".join("".join(secrets.choice(ALPHABET.lower()) for _ in range(4)) for _ in range(5))


def new_code() -> str:
    """Return a code for the audience: short, since it is typed from a projector and wrong tries are limited."""
    return "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))


def same_code(typed: str, code: str) -> bool:
    """Compare in constant time, whatever the case, blanks and hyphens; an empty code lets nobody in."""
    plain = "".join(typed.split()).replace("-", "").upper()
    return bool(code) and hmac.compare_digest(plain.encode(), code.encode())


class Hashed(BaseModel):
    """A password as it is kept: scrypt (RFC 7914) with a salt of its own; some 50 ms and 16 MB of work to try one."""

    model_config = ConfigDict(frozen=True)

    salt: str
    digest: str
    cost: int = 2**14
    block: int = 8

    @classmethod
    def of(cls, password: str) -> Self:
        """Return ``password`` hashed; raise ``PasswordTooShort`` for one that could be guessed."""
        if len(password) < SHORTEST:
            raise PasswordTooShort(SHORTEST)
        empty = cls(salt=secrets.token_hex(16), digest="")
        return empty.model_copy(update={"digest": empty._digest(password)})

    def fits(self, typed: str) -> bool:
        """Say whether ``typed`` is the password, in a time that does not depend on how much of it is right."""
        return len(typed) <= _LONGEST and hmac.compare_digest(self._digest(typed), self.digest)

    def _digest(self, password: str) -> str:
        salt = bytes.fromhex(self.salt)
        return hashlib.scrypt(password.encode(), salt=salt, n=self.cost, r=self.block, p=1, maxmem=2**26).hex()
