"""Who may come in: by the name under which this machine was asked, by where the request comes from, and by a key."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Final, Protocol

from otel_llm_cost_exporter.access import Reader, Rejected
from otel_llm_cost_exporter.ports import is_loopback

from .answer import ACCESS_DENIED, AUTHENTICATION_FAILED, Refusal
from .request import credentials

_NOBODY: Final = ("", "default")
_FORWARDED: Final = frozenset({"forwarded", "x-forwarded-for", "x-real-ip"})
"""A proxy on this machine asks for somebody elsewhere."""
_HOW: Final = "Give an API key that may read, as the password: X-ClickHouse-Key, HTTP Basic, or the parameter password."


class Readers(Protocol):
    """Who may read, by user and password; raises `access.Rejected`."""

    def reader(self, user: str | None, password: str | None) -> Reader: ...


class Door:
    """ValueError where nobody could come in.  Without a key only who is on this machine does, and sees all projects."""

    def __init__(self, host: str, keys: Readers | None, *, anonymous: bool) -> None:
        self._loopback = is_loopback(host)
        self.anonymous = anonymous and self._loopback
        if keys is None and not self.anonymous:
            raise ValueError(f"nobody may read on {host}: give keys, or listen on 127.0.0.1 for readers without one")
        self._keys = keys
        self._names = {host.lower(), "localhost", socket.gethostname().lower()}

    def let_in(self, url_query: str, headers: Mapping[str, str]) -> Reader | None:
        """Who asks; None for somebody on this machine who sees all.  Refusal of anybody else."""
        self._from_here(headers)
        user, password = credentials(url_query, headers)
        if not password and user in _NOBODY:
            if self.anonymous and not _FORWARDED.intersection(headers):
                return None
            raise Refusal(AUTHENTICATION_FAILED, f"Authentication failed: a key is required. {_HOW}")
        if self._keys is None:
            raise Refusal(
                AUTHENTICATION_FAILED, "Authentication failed: no keys are in use here; ask without a password."
            )
        try:
            return self._keys.reader(user, password)
        except Rejected as rejected:
            raise Refusal(AUTHENTICATION_FAILED, f"Authentication failed: {rejected}. {_HOW}") from None

    def _from_here(self, headers: Mapping[str, str]) -> None:
        """No page of another site asks through the browser of somebody here, nor by a name of its own for us."""
        if "origin" in headers or headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise Refusal(ACCESS_DENIED, "requests from web pages are refused.")
        name = host_of(headers.get("host", ""))
        if self._loopback and name not in self._names and not is_loopback(name):
            raise Refusal(ACCESS_DENIED, "asked under a name that is not this machine's: use 127.0.0.1 or localhost.")


def host_of(header: str) -> str:
    """The name or address in a Host header, without its port."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower()
