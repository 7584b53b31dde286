"""Where telemetry goes onward to, and why it must not be this collector itself."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self
from urllib.parse import unquote, urlsplit

HEADERS_VARIABLE: Final = "OTEL_LLM_COST_FORWARD_HEADERS"
"""Environment variable with headers, `name=value,name=value`, percent-encoded as in OTEL_EXPORTER_OTLP_HEADERS."""
TRACES_PATH: Final = "/v1/traces"
METRICS_PATH: Final = "/v1/metrics"
_PORTS: Final = {"http": 80, "https": 443, "grpc": 4317, "grpcs": 4317}
_HEADER_NAME: Final = re.compile(r"[0-9a-z_.!#$%&'*+^`|~-]+\Z")


class BadTarget(ValueError):
    """A target that cannot be one; the text says what would be, and shows no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An OTLP endpoint: http, https, grpc or grpcs, with the headers to send (names in lower case).

    `ca_file` holds the certificates (PEM) that are trusted in place of the usual ones.
    """

    scheme: str
    host: str
    port: int
    path: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca_file: Path | None = None

    @classmethod
    def parse(cls, address: str, *, environ: Mapping[str, str] = os.environ, ca_file: Path | None = None) -> Self:
        """A base endpoint such as `http://jaeger:4318` or `grpc://jaeger:4317`.  Raises BadTarget.

        Headers come from the environment, so that they stand in no command line.
        """
        try:
            parts = urlsplit(address.strip())
            host, port = parts.hostname, parts.port
        except ValueError:
            raise _not_an_address() from None
        if parts.scheme not in _PORTS or not host or port == 0 or parts.query or parts.fragment:
            raise _not_an_address()
        if parts.username is not None or parts.password is not None:
            raise BadTarget(f"leave user and password out of the address and set {HEADERS_VARIABLE} instead")
        path = parts.path.rstrip("/")
        if path and parts.scheme.startswith("grpc"):
            raise BadTarget(f"an address of {parts.scheme} has no path: {path[:100]!r}")
        return cls(
            scheme=parts.scheme,
            host=host,
            port=port or _PORTS[parts.scheme],
            path=path,
            headers=headers_from(environ.get(HEADERS_VARIABLE, "")),
            ca_file=ca_file,
        )

    @property
    def secure(self) -> bool:
        return self.scheme in ("https", "grpcs")

    @property
    def speaks_grpc(self) -> bool:
        return self.scheme.startswith("grpc")

    @property
    def authority(self) -> str:
        """Host and port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def url(self, signal_path: str = TRACES_PATH) -> str:
        """Where to POST: the base endpoint and the signal's path, unless the address ends in that already.

        https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp
        """
        path = self.path if self.path.endswith(signal_path) else self.path + signal_path
        usual = f":{_PORTS[self.scheme]}"
        return f"{self.scheme}://{self.authority.removesuffix(usual)}{path}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def _not_an_address() -> BadTarget:
    return BadTarget(
        "give the address of an OTLP endpoint, such as http://jaeger:4318 or grpc://jaeger:4317 (https and grpcs with"
        " TLS), without a query"
    )


def headers_from(text: str) -> dict[str, str]:
    """Headers as the environment names them.  Raises BadTarget, which says what is wrong without the text."""
    found = {}
    for number, item in enumerate(filter(None, map(str.strip, text.split(","))), start=1):
        name, equals, value = item.partition("=")
        name, value = unquote(name.strip()).lower(), unquote(value.strip())
        if not equals or not _HEADER_NAME.match(name) or not value.isascii() or not value.isprintable():
            raise BadTarget(f"{HEADERS_VARIABLE}: entry {number} is not of the form name=value, percent-encoded")
        found[name] = value
    return found


def refuse_own(target: Target, host: str, http_port: int, grpc_port: int) -> None:
    """Raise BadTarget if the target is this collector's own OTLP port: telemetry would run in a circle.

    `host` and the ports are those that the collector listens on.  A name that does not resolve now is let pass: what
    leads back by another road is known by its mark.
    """
    if target.port in (http_port, grpc_port) and any(_is_here(address, host) for address in _resolve(target.host)):
        raise BadTarget(
            f"{target} is this collector's own port: what it sends there would come in again without end. Name another"
            " endpoint, such as Jaeger's, or give this collector other ports with --grpc-port and --http-port."
        )


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _resolve(host: str) -> set[_Address]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    return {ipaddress.ip_address(str(address[0]).partition("%")[0]) for *_, address in found}


def _is_here(address: _Address, host: str) -> bool:
    """Whether a connection to the address reaches a socket that listens on the host."""
    listening = _resolve(host)
    if address in listening or any(own.is_unspecified for own in listening):
        return _is_local(address)
    return address.is_unspecified and any(own.is_loopback for own in listening)


def _is_local(address: _Address) -> bool:
    """Whether the machine has this address: only its own can be bound."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True
