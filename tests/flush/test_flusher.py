"""From the journal into the store: what was acknowledged gets there once, or waits, or is kept as a dead letter."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from otel_llm_cost_exporter.cli.root import app
from otel_llm_cost_exporter.entry import Entry, Sender
from otel_llm_cost_exporter.flush import DeadLetters, Flusher
from otel_llm_cost_exporter.journal import Journal
from otel_llm_cost_exporter.pipeline import Pipeline
from otel_llm_cost_exporter.store import Store, StoreError
from tests.exporter.otlp import chat, request, span

from .house import BOOK, NO_PRICES, House, refuse_to_encode, until


def test_what_is_acknowledged_gets_stored_and_is_told_of(house: House) -> None:
    house.send(span(chat()), span(chat()))
    house.settle()
    assert (house.rows(), house.rollup()) == (2, 2)
    assert [len(batch.calls) for batch in house.told] == [2]
    assert house.flusher.state.batches == 1


def test_what_is_sent_again_in_other_company_is_stored_once(house: House) -> None:
    one, two, three = span(chat()), span(chat()), span(chat())
    house.send(one, two)
    house.send(two, three)
    house.settle()
    house.send(three, one)
    house.settle()
    assert (house.rows(), house.rollup()) == (3, 3)


def test_a_store_that_is_away_is_waited_for_while_requests_are_taken(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.troubled.away.set()
    house.send(span(chat()))
    assert house.troubled.refused.wait(10)
    house.send(span(chat()))
    assert house.flusher.state.away >= 0
    assert house.flusher.state.trouble == "the store is away."
    assert house.rows() == 0
    house.troubled.away.clear()
    house.settle()
    assert house.rows() == 2
    assert house.flusher.state.away == 0
    assert "What was acknowledged waits in the journal" in caplog.text


def test_what_a_lost_answer_leaves_is_stored_once_at_the_prices_of_its_day(house: House) -> None:
    """The rows are stored and nobody knows; the next process has other prices, and inserts the same rows."""
    house.troubled.deaf.set()
    house.send(span(chat()))
    assert house.troubled.refused.wait(10)
    assert not house.down(patience=0.0)
    house.troubled.deaf.clear()
    house.up(NO_PRICES)
    house.settle()
    assert (house.rows(), house.rollup()) == (1, 1)
    assert house.troubled.store.query("SELECT sum(cost) > 0 AS priced FROM cost_hourly") == [{"priced": 1}]


def test_a_store_that_was_away_at_the_end_gets_the_frozen_rows_from_the_next_process(house: House) -> None:
    house.troubled.away.set()
    house.send(span(chat()))
    assert house.troubled.refused.wait(10)
    assert not house.down(patience=0.0)
    house.troubled.away.clear()
    house.up(NO_PRICES)
    house.send(span(chat()))
    house.settle()
    assert house.troubled.store.query("SELECT countIf(cost > 0) AS dear, count() AS n FROM llm_calls") == [
        {"dear": 1, "n": 2}
    ]


def test_a_damaged_frozen_batch_is_made_anew(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.troubled.away.set()
    house.send(span(chat()))
    assert house.troubled.refused.wait(10)
    house.down(patience=0.0)
    frozen = house.folder / "frozen"
    content = bytearray(frozen.read_bytes())
    content[-1] ^= 1
    frozen.write_bytes(content)
    house.troubled.away.clear()
    house.up()
    house.settle()
    assert (house.rows(), house.rollup()) == (1, 1)
    assert "is damaged" in caplog.text


@pytest.mark.parametrize("where", ["insert", "encode"])
def test_calls_that_cannot_be_stored_become_dead_letters_alone(
    house: House, where: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    spans = [span(chat()) for _ in range(20)]
    bad = {spans[7].span_id, spans[13].span_id}
    if where == "insert":
        house.troubled.poison = bad
    else:
        refuse_to_encode(house, bad, monkeypatch)
    house.send(*spans[:10])
    house.send(*spans[10:])
    house.settle()
    assert (house.rows(), house.rollup()) == (18, 18)
    letters = [letter for _, letter in house.flusher.dead_letters.read()]
    assert {letter.spans[0].partition(":")[2] for letter in letters} == {one.hex() for one in bad}
    assert all(letter.entry.spans == 1 for letter in letters)
    assert all(one.hex() in caplog.text for one in bad)


def test_a_dead_letter_is_replayed_as_it_came(house: House) -> None:
    call = span(chat())
    house.troubled.poison = {call.span_id}
    house.send(call, span(chat()), sender=Sender("k1", "shop"))
    house.settle()
    ((name, letter),) = house.flusher.dead_letters.read()
    assert letter.entry.sender == Sender("k1", "shop")
    house.troubled.poison = set()
    assert house.flusher.dead_letters.mark(name)
    until(lambda: house.rows() == 2)
    assert house.troubled.store.query("SELECT DISTINCT project, tenant FROM llm_calls") == [
        {"project": "shop", "tenant": "shop"}
    ]
    assert len(house.flusher.dead_letters) == 0


def test_a_request_that_our_code_cannot_read_is_kept_whole(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    decode = house.pipeline.decode
    monkeypatch.setattr(house.pipeline, "decode", lambda entry: decode(entry) if entry.spans == 1 else 1 / 0)
    house.send(span(chat()), span(chat()))
    house.send(span(chat()))
    house.settle()
    assert house.rows() == 1
    ((_, letter),) = house.flusher.dead_letters.read()
    assert letter.entry.spans == 2
    assert "ZeroDivisionError" in letter.why


def test_a_full_shelf_of_dead_letters_stops_everything_and_loses_nothing(tmp_path: Path, house: House) -> None:
    house.flusher.dead_letters._most = 1
    calls = [span(chat()) for _ in range(3)]
    house.troubled.poison = {calls[0].span_id, calls[1].span_id}
    house.send(calls[0])
    house.settle()
    house.send(calls[1])
    until(lambda: "dead-letters" in house.flusher.state.trouble)
    house.send(calls[2])
    ((name, _),) = house.flusher.dead_letters.read()
    assert house.flusher.dead_letters.remove(name)
    house.settle()
    assert (house.rows(), len(house.flusher.dead_letters)) == (1, 1)


def test_closing_stores_what_waits(tmp_path: Path, house: House) -> None:
    for _ in range(5):
        house.send(span(chat()))
    assert house.down()
    assert house.rows() == 5


def test_closing_does_not_wait_for_a_store_that_hangs(house: House) -> None:
    house.troubled.answers.clear()
    house.send(span(chat()))
    assert house.troubled.refused.wait(10)
    assert not house.flusher.close(patience=0.0)
    assert house.flusher.alive
    house.troubled.answers.set()
    until(lambda: not house.flusher.alive)
    house.journal.close()
    house.up()
    house.settle()
    assert (house.rows(), house.rollup()) == (1, 1)


def test_a_store_that_cannot_be_opened_yet_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Store.open("chdb://memory") as store, caplog.at_level(logging.ERROR):
        tries = iter([StoreError("nobody answers."), StoreError("nobody answers.")])

        def connect() -> tuple[Store, Pipeline]:
            for error in tries:
                raise error
            return store, Pipeline(store, BOOK)

        journal = Journal(tmp_path / "journal", keep_free=0)
        flusher = Flusher(journal, connect, tmp_path / "journal", most_wait=0.0)
        flusher.start()
        journal.take(Entry(request(span(chat())).SerializeToString(), time.time_ns(), 1))
        assert flusher.wait_until(journal.tail, 20)
        assert store.query("SELECT count() AS n FROM llm_calls") == [{"n": 1}]
        flusher.close()
        journal.close()


def test_the_commands_list_show_replay_and_remove(tmp_path: Path, house: House) -> None:
    calls = [span(chat()), span(chat())]
    house.troubled.poison = {call.span_id for call in calls}
    house.send(*calls)
    house.settle()
    run, where = CliRunner().invoke, ["--journal", str(house.folder)]
    names = [name for name, _ in house.flusher.dead_letters.read()]
    listed = run(app, ["dead-letters", "list", "--json", *where]).output
    assert all(call.span_id.hex() in listed for call in calls)
    assert "gen_ai.request.model" in run(app, ["dead-letters", "show", names[0], *where]).output
    assert run(app, ["dead-letters", "remove", names[0], *where]).exit_code == 0
    house.troubled.poison = set()
    assert run(app, ["dead-letters", "replay", "--all", *where]).exit_code == 0
    until(lambda: house.rows() == 1)
    assert "Nothing" in run(app, ["dead-letters", "list", *where]).output
    assert run(app, ["dead-letters", "remove", "nobody", *where]).exit_code != 0


def test_files_are_for_their_owner_alone(house: House) -> None:
    call = span(chat())
    house.troubled.poison = {call.span_id}
    house.send(call)
    house.settle()
    letters = DeadLetters(house.folder / "dead")
    assert len(letters) == 1
    assert {path.stat().st_mode & 0o777 for path in (house.folder / "dead").iterdir()} == {0o600}
