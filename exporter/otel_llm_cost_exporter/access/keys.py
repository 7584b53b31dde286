"""An API key: `olc_<id>_<secret>`.

The id is public: it stands in lists, logs and rows.  Of the secret only the SHA-256 is kept.  A slow hash (scrypt,
Argon2) is for passwords, which people choose and which can therefore be guessed; this secret is 32 characters drawn
from 62 by the system's generator, 190 bits, and no number of guesses a second helps against that.  It is checked on
every request, where a slow hash would be a way to keep the collector busy.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
from dataclasses import dataclass
from datetime import datetime
from typing import Final

_ALPHABET: Final = string.digits + string.ascii_letters
_ID_LENGTH: Final = 10
_SECRET_LENGTH: Final = 32
_FORM: Final = re.compile(rf"olc_([0-9A-Za-z]{{{_ID_LENGTH}}})_([0-9A-Za-z]{{{_SECRET_LENGTH}}})")
_ID_FORM: Final = re.compile(rf"[0-9A-Za-z]{{{_ID_LENGTH}}}")
_DIGEST_FORM: Final = re.compile("[0-9a-f]{64}")
_LONGEST_NAME: Final = 200
_NOBODYS: Final = "0" * 64
"""What the secret of an id that nobody has is compared with, so that it takes as long as any other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What is kept of an API key.  Instants are in UTC.

    `may_name`: the other projects that its calls may name, None for any; `rate`: spans per second, None for the
    collector's default.  ValueError names the field that cannot be.
    """

    id: str
    digest: str
    project: str
    created_at: datetime
    may_name: tuple[str, ...] | None = ()
    may_read: bool = False
    may_write: bool = True
    note: str = ""
    rate: float | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def __post_init__(self) -> None:
        if not _ID_FORM.fullmatch(self.id):
            raise ValueError(f"id: {_ID_LENGTH} letters or digits expected")
        if not _DIGEST_FORM.fullmatch(self.digest):
            raise ValueError("digest: 64 hexadecimal digits expected")
        for project in (self.project, *(self.may_name or ())):
            if not 0 < len(project) <= _LONGEST_NAME or not project.isprintable() or project != project.strip():
                raise ValueError(f"project: up to {_LONGEST_NAME} printable characters expected, not {project[:50]!r}")
        if self.rate is not None and not 0 < self.rate < float("inf"):
            raise ValueError("rate: spans per second above 0 expected")

    def state(self, now: datetime) -> str:
        """`active`, `revoked` or `expired`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"


def mint() -> tuple[str, str, str]:
    """A new key's id, its secret's digest, and the key itself, which is shown once and kept nowhere."""
    identity, secret = _random(_ID_LENGTH), _random(_SECRET_LENGTH)
    return identity, digest(secret), f"olc_{identity}_{secret}"


def split(presented: str) -> tuple[str, str] | None:
    """Id and secret of what somebody gave as a key; None where it has not even the form of one."""
    form = _FORM.fullmatch(presented)
    return (form[1], form[2]) if form else None


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def matches(key: Key | None, secret: str) -> bool:
    """Whether the secret is that of the key, in a time that tells nothing about either; no key matches nothing."""
    same = hmac.compare_digest(digest(secret), key.digest if key else _NOBODYS)
    return same and key is not None


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
