"""TLS and mutual TLS on both ports, with certificates of a CA made for the test."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import NamedTuple

import grpc
import httpx
import pytest
import trustme

from otel_llm_cost_exporter.receive.tls import TLS, TLSError
from tests.exporter.otlp import chat, request, span

from .conftest import Serve
from .receivers import PROTOBUF, TRACES, Kept, Running

BODY = request(span(chat())).SerializeToString()


class Certificates(NamedTuple):
    """PEM files of a server and a client, and the CA of both."""

    ca: Path
    server: tuple[Path, Path]
    client: tuple[Path, Path]


def issue(ca: trustme.CA, folder: Path, name: str) -> tuple[Path, Path]:
    issued = ca.issue_cert(name)
    chain, key = folder / f"{name}.pem", folder / f"{name}.key"
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(key))
    return chain, key


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder, ca = tmp_path_factory.mktemp("tls"), trustme.CA()
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    return Certificates(folder / "ca.pem", issue(ca, folder, "localhost"), issue(ca, folder, "client.example"))


def send(running: Running, ca: Path, client: tuple[Path, Path] | None = None) -> tuple[int, bytes]:
    """Over HTTP and over gRPC."""
    context = ssl.create_default_context(cafile=str(ca))
    if client:
        context.load_cert_chain(*client)
    answer = httpx.post(running.url(), content=BODY, headers={"content-type": PROTOBUF}, verify=context)
    credentials = grpc.ssl_channel_credentials(
        ca.read_bytes(), client[1].read_bytes() if client else None, client[0].read_bytes() if client else None
    )
    with grpc.secure_channel(f"localhost:{running.grpc_port}", credentials) as channel:
        return answer.status_code, channel.unary_unary(TRACES)(BODY, timeout=20)


def test_both_ports_speak_tls(serve: Serve, certificates: Certificates) -> None:
    kept = Kept()
    running = serve(kept, tls=TLS(*certificates.server))
    assert send(running, certificates.ca) == (200, b"")
    assert len(kept.entries) == 2
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://localhost:{running.http_port}/livez")


def test_without_a_certificate_of_the_ca_there_is_no_connection(serve: Serve, certificates: Certificates) -> None:
    kept = Kept()
    running = serve(kept, tls=TLS(*certificates.server, certificates.ca))
    context = ssl.create_default_context(cafile=str(certificates.ca))
    with pytest.raises(httpx.TransportError):
        httpx.post(running.url(), content=BODY, headers={"content-type": PROTOBUF}, verify=context)
    credentials = grpc.ssl_channel_credentials(certificates.ca.read_bytes())
    with (
        grpc.secure_channel(f"localhost:{running.grpc_port}", credentials) as channel,
        pytest.raises(grpc.RpcError) as refused,
    ):
        channel.unary_unary(TRACES)(BODY, timeout=20)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert kept.entries == []
    assert send(running, certificates.ca, certificates.client) == (200, b"")


def test_files_that_do_not_do_are_told(certificates: Certificates, tmp_path: Path) -> None:
    chain, key = certificates.server
    other = certificates.client[1]
    nonsense = tmp_path / "x.pem"
    nonsense.write_text("no certificate")
    locked = tmp_path / "locked.key"
    locked.write_bytes(_with_passphrase(key.read_bytes()))
    for files in ((tmp_path / "none.pem", key), (chain, other), (nonsense, key), (chain, nonsense), (chain, locked)):
        with pytest.raises(TLSError, match=r"none\.pem: No such file|no certificate and its private key"):
            TLS(*files)
    with pytest.raises(TLSError, match="holds no CA"):
        TLS(chain, key, nonsense)


def _with_passphrase(key: bytes) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"passphrase"),
    )
