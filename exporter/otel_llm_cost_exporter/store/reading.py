"""A store to read from: opened, or where another process has it open, asked through that process.

The embedded engine admits one process per path.  A collector that has one open answers queries over HTTP on this
machine and says where in the file by which it holds the path; so who only reads need not know about any of it.
"""

from __future__ import annotations

import ipaddress
import os
from typing import Final
from urllib.parse import quote, urlsplit

from . import Store
from .connect import Target, connect
from .errors import StoreError, StoreHeld

KEY_VARIABLE: Final = "OTEL_LLM_COST_KEY"
"""Environment variable with the API key to read with."""
_REFUSED: Final = frozenset({192, 193, 194, 516})


def open_for_reading(dsn: str) -> Store:
    """As `Store.open`, of a store that is there; StoreHeld where its holder answers no queries."""
    try:
        return Store.open(dsn, migrate=False)
    except StoreHeld as held:
        if held.query is None or not _here(held.query):
            raise
        return _through(dsn, held, held.query)


def _through(dsn: str, held: StoreHeld, query: str) -> Store:
    key = os.environ.get(KEY_VARIABLE, "") if held.key else ""
    if held.key and not key:
        raise StoreError(
            f"{str(held).partition(', and the')[0]}; it answers at {query}, and wants a key."
            f" Give one that may read: {KEY_VARIABLE}=olc_… (otel-llm-cost keys create --project NAME --read makes it)."
        ) from held
    target = Target(
        shown=f"{dsn} (through {query})",
        embedded=False,
        dsn=f"clickhouse://default:{quote(key, safe='')}@{urlsplit(query).netloc}",
        user="default",
        password=key,
    )
    try:
        return Store(target, connect(target, create=False))
    except StoreError as error:
        if getattr(error.__cause__, "code", None) in _REFUSED:
            raise StoreError(f"{query} refuses the key in {KEY_VARIABLE}: give one that may read.") from error
        raise


def _here(query: str) -> bool:
    """Whether it is an address of this machine: a key goes nowhere else."""
    parts = urlsplit(query)
    try:
        return parts.scheme == "http" and ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.scheme == "http" and parts.hostname == "localhost"
