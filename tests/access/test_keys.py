"""Keys in a file: made, kept, read again, refused; nothing of a secret is left anywhere."""

from __future__ import annotations

import hmac
import json
import logging
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from otel_llm_cost_exporter.access import Gate, Key, KeyRing, KeysError, Reader, Refused, Rejected, keys_file
from otel_llm_cost_exporter.access.files import change, read
from otel_llm_cost_exporter.access.gate import credential
from otel_llm_cost_exporter.entry import Sender

from .conftest import Clock, Mint


def revoke(path: Path, secret: str) -> None:
    identity = secret.split("_")[1]
    now = datetime.now(UTC)
    change(path, lambda there: tuple(replace(key, revoked_at=now) if key.id == identity else key for key in there))


def test_a_key_opens_the_gate_as_its_project(key_file: Path, new_key: Mint) -> None:
    secret = new_key("shop", may_name=("a", "b"))
    visitor = Gate(KeyRing(key_file)).writer(secret)
    assert visitor.sender == Sender(secret.split("_")[1], "shop", ("a", "b"))
    assert visitor.bucket is None


def test_the_file_has_no_secret_and_is_its_owners_alone(key_file: Path, new_key: Mint) -> None:
    secret = new_key()
    assert secret.split("_")[2] not in key_file.read_text()
    assert len(secret.split("_")[2]) * 5.95 > 160
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in key_file.parent.iterdir()} == {"keys.json", "keys.json.lock"}


def test_what_was_written_is_read(key_file: Path) -> None:
    now = datetime.now(UTC)
    every = Key(
        id="a" * 10,
        digest="0" * 64,
        project="Größe \U0001f600",
        created_at=now,
        may_name=None,
        may_read=True,
        may_write=False,
        note="<b>\n'",
        rate=1.5,
        expires_at=now + timedelta(days=1),
        revoked_at=now,
    )
    plain = Key(id="b" * 10, digest="1" * 64, project="p", created_at=now)
    change(key_file, lambda there: (*there, every, plain))
    assert read(key_file) == (every, plain)


@pytest.mark.parametrize(
    "presented",
    ["", "x", "olc__", "olc_aaaaaaaaaa_", "olc_aaaaaaaaaa_" + "s" * 31, "olc_aaaaaaaaaa_" + "s" * 33, "olc_ä", "\0"],
)
def test_what_is_no_key_is_refused(presented: str, key_file: Path, new_key: Mint) -> None:
    new_key()
    with pytest.raises(Rejected, match=r"^the API key is unknown or revoked$"):
        KeyRing(key_file).key(presented)


def test_every_bad_key_is_told_the_same(key_file: Path, new_key: Mint) -> None:
    good, revoked, expired = new_key(), new_key(), new_key(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    revoke(key_file, revoked)
    ring = KeyRing(key_file)
    assert ring.active() == 1
    told = {}
    for presented in (revoked, expired, good[:-1] + ("a" if good[-1] != "a" else "b"), "olc_" + "z" * 10 + good[14:]):
        with pytest.raises(Rejected) as rejected:
            ring.key(presented)
        told[rejected.value.why] = str(rejected.value)
        assert presented not in repr(rejected.value)
    assert list(told) == ["revoked", "expired", "its secret is wrong", "unknown"]
    assert len(set(told.values())) == 1


def test_secrets_are_compared_in_constant_time_even_where_there_is_no_key(
    key_file: Path, new_key: Mint, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[str, str]] = []
    really = hmac.compare_digest

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return really(one, other)

    good = new_key()
    ring = KeyRing(key_file)
    monkeypatch.setattr(hmac, "compare_digest", compare)
    with pytest.raises(Rejected):
        ring.key("olc_" + "z" * 10 + good[14:])
    ring.key(good)
    assert [len(one) == len(other) == 64 for one, other in compared] == [True, True]


def test_a_key_counts_and_is_revoked_without_a_restart(key_file: Path, new_key: Mint, clock: Clock) -> None:
    ring = KeyRing(key_file, clock=clock)
    secret = new_key()
    assert ring.key(secret).project == "shop"
    revoke(key_file, secret)
    clock.now += 1
    with pytest.raises(Rejected):
        ring.key(secret)


def test_a_key_ends_when_it_expires(key_file: Path, new_key: Mint) -> None:
    secret = new_key(expires_at=datetime(2027, 1, 1, tzinfo=UTC))
    times = iter([datetime(2026, 12, 31, 23, 59, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)])
    ring = KeyRing(key_file, now=lambda: next(times))
    ring.key(secret)
    with pytest.raises(Rejected):
        ring.key(secret)


def spoil(path: Path, how: str) -> None:
    if how == "gone":
        path.unlink()
    elif how == "too open":
        path.chmod(0o644)
    else:
        path.write_text(how)


VALID = {"id": "a" * 10, "digest": "0" * 64, "project": "p", "created_at": "2026-01-01T00:00:00+00:00", "may_name": []}
SPOILT: list[str] = [
    "",
    "{",
    "[]",
    '{"version": 2, "keys": []}',
    '{"version": 1}',
    '{"version": 1, "keys": [7]}',
    *(
        json.dumps({"version": 1, "keys": [VALID | change]})
        for change in (
            {"may_only": ["x"]},
            {"may_write": "no"},
            {"may_name": "a"},
            {"rate": "fast"},
            {"rate": -1},
            {"expires_at": "soon"},
            {"project": ""},
            {"id": "x"},
            {"digest": "x"},
        )
    ),
    json.dumps({"version": 1, "keys": [VALID, VALID]}),
]


@pytest.mark.parametrize("how", ["too open", *SPOILT])
def test_a_spoilt_file_is_refused_at_the_start(how: str, key_file: Path, new_key: Mint) -> None:
    new_key()
    spoil(key_file, how)
    with pytest.raises(KeysError, match=r"keys.json: .+[.:] .+"):
        KeyRing(key_file)


@pytest.mark.parametrize("how", ["gone", "too open", "{"])
def test_a_file_spoilt_later_changes_nothing_and_is_said_loudly(
    how: str, key_file: Path, new_key: Mint, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    secret = new_key()
    ring, content = KeyRing(key_file, clock=clock), key_file.read_bytes()
    spoil(key_file, how)
    clock.now += 1
    for _ in range(3):
        assert ring.key(secret).project == "shop"
        clock.now += 2
    (said,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "NOT in force" in said.getMessage()
    assert ring.fault
    clock.now += 60
    ring.key(secret)
    assert [record.levelno for record in caplog.records].count(logging.ERROR) == 2
    key_file.unlink(missing_ok=True)
    key_file.touch(0o600)
    key_file.write_bytes(content)
    revoke(key_file, secret)
    clock.now += 1
    with pytest.raises(Rejected):
        ring.key(secret)
    assert ring.fault is None


def test_two_changes_at_once_are_both_kept(key_file: Path, new_key: Mint) -> None:
    threads = [threading.Thread(target=new_key) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read(key_file)) == 20


def test_without_a_file_there_are_no_keys(tmp_path: Path) -> None:
    assert KeyRing(tmp_path / "none" / "keys.json").active() == KeyRing().active() == 0
    with pytest.raises(KeysError, match=r"--keys"):
        KeyRing(tmp_path)


def test_where_the_file_is() -> None:
    home: dict[str, Any] = {"HOME": "/h"}
    assert keys_file(None, home) == Path("/h/.config/otel-llm-cost/keys.json")
    assert keys_file(None, home | {"XDG_CONFIG_HOME": "/x"}) == Path("/x/otel-llm-cost/keys.json")
    named = home | {"OTEL_LLM_COST_KEYS": "/k/keys"}
    assert keys_file(None, named) == Path("/k/keys")
    assert keys_file(Path("/o"), named) == Path("/o")
    assert keys_file(None, {}) is None


def test_a_reader_sees_its_projects(key_file: Path, new_key: Mint) -> None:
    one, some = new_key(may_read=True), new_key(may_read=True, may_name=("a",))
    every, writer = new_key(may_read=True, may_name=None), new_key()
    ring = KeyRing(key_file)
    assert ring.reader("anyone", one) == Reader(one.split("_")[1], ("shop",))
    assert ring.reader(None, some).projects == ("shop", "a")
    assert ring.reader("", every).projects is None
    for password in (writer, None, "", one + "x"):
        with pytest.raises(Rejected):
            ring.reader("x", password)


def test_who_may_come_in(key_file: Path, new_key: Mint) -> None:
    reader, writer = new_key(may_read=True, may_write=False), new_key()
    ring = KeyRing(key_file)
    assert Gate(ring).writer(None).sender == Sender()
    for gate in (Gate(ring), Gate(ring, anonymous=False)):
        with pytest.raises(Refused, match="unknown or revoked"):
            gate.writer("wrong")
        with pytest.raises(Refused, match="may read, not write"):
            gate.writer(reader)
        assert gate.may_look(reader)
        assert not gate.may_look("wrong")
    closed = Gate(ring, anonymous=False)
    with pytest.raises(Refused, match=r"otel-llm-cost keys create .*OTEL_EXPORTER_OTLP_HEADERS"):
        closed.writer(None)
    assert (Gate(ring).may_look(None), closed.may_look(None), closed.may_look(writer)) == (True, False, False)


@pytest.mark.parametrize(
    ("authorization", "api_key", "key"),
    [
        (None, None, None),
        ("Bearer k", None, "k"),
        ("bearer  k ", "other", "k"),
        ("Bearer", None, ""),
        (None, " k", "k"),
        (None, "", ""),
        ("Basic abc", None, None),
        ("Basic abc", "k", "k"),
    ],
)
def test_the_key_in_the_headers(authorization: str | None, api_key: str | None, key: str | None) -> None:
    assert credential(authorization, api_key) == key
