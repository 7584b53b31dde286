"""Ports, taken before anything is served, so that a taken one is told at once."""

from __future__ import annotations

import ipaddress
import socket


class PortTaken(Exception):
    """A port cannot be had; the text says which and what to do."""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def listen(host: str, port: int, what: str, option: str) -> socket.socket:
    """A listening socket for `what`; PortTaken, which names the option, where it cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise taken(host, port, what, option, error.strerror or str(error)) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise taken(host, port, what, option, error.strerror or str(error)) from error
    return listener


def taken(host: str, port: int, what: str, option: str, why: str) -> PortTaken:
    """The error of a port that cannot be had."""
    return PortTaken(
        f"cannot listen for {what} on {host}:{port}: {why}. Stop what listens there (another collector, a ClickHouse"
        f" server?), or give another port with {option}."
    )
