"""What can go wrong with the store, told to a person and to the writer."""

from __future__ import annotations


class StoreError(Exception):
    """The store cannot do what was asked; the text says why and what to do about it.

    `rows_at_fault` is True only where the rows themselves cannot be stored, now or ever.  Everything else (no server,
    no disk, no table, no permission) is no fault of the data: it is kept, retried or refused back to its sender.
    """

    def __init__(self, message: str, *, rows_at_fault: bool = False) -> None:
        super().__init__(message)
        self.rows_at_fault = rows_at_fault


class StoreHeld(StoreError):
    """Another process has the embedded database open.

    `query` is where that process answers queries, None where it does not; `key`, whether it asks for a key.
    """

    def __init__(self, message: str, *, query: str | None = None, key: bool = False) -> None:
        super().__init__(message)
        self.query = query
        self.key = key


class StoreAway(StoreError):
    """Nobody answers at the address of a server; that may pass."""
