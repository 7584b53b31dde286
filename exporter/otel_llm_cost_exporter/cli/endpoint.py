"""Where an OTLP exporter sends to, read from the OTEL_EXPORTER_OTLP_ variables as Python's exporters read them.

The two exporters differ.  The one for HTTP wants a URL.  The one for gRPC also takes a bare `host:port`, and then
speaks TLS, unless OTEL_EXPORTER_OTLP_INSECURE says otherwise: only `http://` means plain by itself.  A port that
is left out is the scheme's (80, 443); gRPC's own is 443.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

GRPC_PORT: Final = 4317
HTTP_PORT: Final = 4318
_TLS: Final = 443


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A collector's address; `said` is False where it is the exporter's default."""

    protocol: str
    scheme: str
    host: str
    port: int
    secure: bool
    said: bool

    @property
    def grpc(self) -> bool:
        return self.protocol == "grpc"

    def __str__(self) -> str:
        return f"{self.scheme + '://' if self.scheme else ''}{self.host}:{self.port} ({self.protocol})"


def endpoint(env: Mapping[str, str]) -> Endpoint:
    """The endpoint of the traces.  Raises ValueError, which shows no password, if what is said is none."""
    protocol = _setting(env, "PROTOCOL") or "grpc"
    grpc = protocol == "grpc"
    said = _setting(env, "ENDPOINT")
    text = said or f"http://localhost:{GRPC_PORT if grpc else HTTP_PORT}"
    try:
        url = urlsplit(text if "://" in text or not grpc else f"//{text}")
        host, port = url.hostname, url.port
    except ValueError:
        host, port = None, None
    if not host:
        raise ValueError(f"{said.rpartition('@')[2]!r} is no endpoint")
    insecure = _setting(env, "INSECURE")
    secure = (insecure.lower() != "true" if insecure else url.scheme != "http") if grpc else url.scheme == "https"
    port = port or (_TLS if grpc or url.scheme == "https" else 80)
    return Endpoint(protocol=protocol, scheme=url.scheme, host=host, port=port, secure=secure, said=bool(said))


def _setting(env: Mapping[str, str], name: str) -> str:
    """What is said of traces wins over what is said of all signals."""
    return (env.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}") or env.get(f"OTEL_EXPORTER_OTLP_{name}") or "").strip()
