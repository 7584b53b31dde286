"""Ports, taken before anything is served, so that a taken one is told at once."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

from .tls import TLS, grpc_credentials


class PortTaken(Exception):
    """A port cannot be had; the text says which and what to do."""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen_http(host: str, port: int) -> socket.socket:
    """A listening socket; PortTaken where it cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _taken("HTTP", "--http-port", host, port, error.strerror or str(error)) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise _taken("HTTP", "--http-port", host, port, error.strerror or str(error)) from error
    return listener


def listen_grpc(server: Any, host: str, port: int, tls: TLS | None) -> int:
    """Have a gRPC server listen; the port, PortTaken where it cannot be had."""
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        if tls is None:
            bound = int(server.add_insecure_port(address))
        else:
            bound = int(server.add_secure_port(address, grpc_credentials(tls)))
    except RuntimeError as error:
        raise _taken("gRPC", "--grpc-port", host, port, "the address is in use or not ours") from error
    if bound == 0:
        raise _taken("gRPC", "--grpc-port", host, port, "the address is in use or not ours")
    return bound


def _taken(protocol: str, option: str, host: str, port: int, why: str) -> PortTaken:
    return PortTaken(
        f"cannot listen for OTLP over {protocol} on {host}:{port}: {why}. Stop what listens there (another collector?),"
        f" or give another port with {option}."
    )
