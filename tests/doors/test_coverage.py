"""The document for users is what is seen, and nothing that can be seen is missed."""

from __future__ import annotations

import pytest

from .__main__ import difference, seen_after_all, walks
from .beside import untested
from .cells import MISSED, cells
from .document import document, rows
from .observe import Observed, Walk


@pytest.fixture(scope="module")
def walked() -> list[Walk]:
    """Every way of every door, once."""
    return walks()


def test_the_document_is_up_to_date(walked: list[Walk]) -> None:
    assert difference(document(walked)) == ""


def test_nothing_that_an_answer_says_is_missed(walked: list[Walk]) -> None:
    missed = [row for table in rows(walked).values() for row in table if any(MISSED in cell for cell in row.cells)]
    assert missed == []


def test_what_is_missed_shows(walked: list[Walk]) -> None:
    chat, embeddings = (
        next(walk for walk in walked if walk.way.name == name) for name in ("chat create", "embeddings")
    )
    other = cells(chat._replace(observed=embeddings.observed))
    assert (other.tokens, other.cache, other.reasoning, other.tier) == ("in, ✗ out", "✗ read", MISSED, MISSED)
    nothing = cells(chat._replace(observed=Observed(())))
    assert nothing.operation == "✗ not seen"


def test_what_is_said_beside_the_tables_holds() -> None:
    assert untested() == []
    assert seen_after_all() == []
