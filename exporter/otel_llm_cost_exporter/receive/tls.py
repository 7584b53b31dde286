"""TLS for both servers from the same files; with a CA for clients, who has no certificate of it gets no connection."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc


class TLSError(Exception):
    """A certificate or key cannot be used; the text says which and what to do."""


@dataclass(frozen=True, slots=True)
class TLS:
    """PEM files: the certificate with its chain, its private key without a passphrase, and the CA of the clients.

    `client_ca` makes it mutual.  TLSError where the files are not there, do not fit each other, or are no such files.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def __post_init__(self) -> None:
        for path in filter(None, (self.certificate, self.key, self.client_ca)):
            _read(path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.certificate, self.key, password=_no_passphrase)
        except (ssl.SSLError, ValueError) as error:
            raise TLSError(
                f"{self.certificate} and {self.key} are no certificate and its private key in PEM: {_said(error)}."
                " Give the certificate with its chain, and the key that belongs to it, without a passphrase."
            ) from error
        if self.client_ca is not None:
            try:
                context.load_verify_locations(self.client_ca)
            except ssl.SSLError as error:
                raise TLSError(f"{self.client_ca} holds no CA certificate in PEM: {_said(error)}.") from error


def grpc_credentials(tls: TLS) -> Any:
    """What `add_secure_port` of a gRPC server takes."""
    return grpc.ssl_server_credentials(
        [(_read(tls.key), _read(tls.certificate))],
        root_certificates=_read(tls.client_ca) if tls.client_ca else None,
        require_client_auth=tls.client_ca is not None,
    )


def uvicorn_options(tls: TLS | None) -> dict[str, Any]:
    """Keyword arguments for `uvicorn.Config`; none without TLS."""
    if tls is None:
        return {}
    options: dict[str, Any] = {"ssl_certfile": str(tls.certificate), "ssl_keyfile": str(tls.key)}
    if tls.client_ca is not None:
        options |= {"ssl_ca_certs": str(tls.client_ca), "ssl_cert_reqs": ssl.CERT_REQUIRED}
    return options


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TLSError(
            f"{path}: {error.strerror or error}. Mend the path, or let the user who runs this read it."
        ) from error


def _no_passphrase() -> str:
    raise ValueError("the key has a passphrase")


def _said(error: Exception) -> str:
    return (error.reason if isinstance(error, ssl.SSLError) else None) or str(error)
