"""`otel-llm-cost keys`: created, listed, revoked; the secret is seen once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from typer.testing import CliRunner

from otel_llm_cost_exporter.access import KeyRing, Rejected
from otel_llm_cost_exporter.cli import app


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OTEL_LLM_COST_KEYS", str(tmp_path / "deep" / "keys.json"))
    return tmp_path / "deep" / "keys.json"


def told(runner: CliRunner, *words: str) -> Any:
    done = runner.invoke(app, ["keys", *words, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_from_its_creation_to_its_end(runner: CliRunner, file: Path) -> None:
    made = told(
        runner, "create", "--project", "shop", "--may-name", "a, b", "--rate", "50", "--expires", "90d", "--note", "ci"
    )
    assert (made["project"], made["may_name"], made["may"], made["rate"]) == ("shop", ["a", "b"], ["write"], 50)
    key = KeyRing(file).key(made["key"])
    assert (key.project, key.may_name, key.note) == ("shop", ("a", "b"), "ci")
    name, _, value = made["environment"].partition("=")
    header, _, credential = value.partition("=")
    assert (name, header, unquote(credential)) == (
        "OTEL_EXPORTER_OTLP_HEADERS",
        "authorization",
        f"Bearer {made['key']}",
    )
    (listed,) = told(runner, "list")
    assert (listed["id"], listed["state"], "key" in listed) == (made["id"], "active", False)
    assert told(runner, "revoke", made["id"])["state"] == "revoked"
    first = told(runner, "list")[0]["revoked_at"]
    assert told(runner, "revoke", made["key"])["revoked_at"] == first
    with pytest.raises(Rejected):
        KeyRing(file).key(made["key"])


def test_for_eyes_and_the_clipboard(runner: CliRunner, file: Path) -> None:
    assert "no keys yet" in " ".join(runner.invoke(app, ["keys", "list"]).output.split())
    shown = runner.invoke(app, ["keys", "create", "--project", "[b]x", "--read", "--write", "--may-name", "*"]).output
    line = next(line for line in shown.splitlines() if line.startswith("OTEL_EXPORTER_OTLP_HEADERS="))
    secret = line.partition("Bearer%20")[2]
    key = KeyRing(file).key(secret)
    assert (key.project, key.may_read, key.may_write, key.may_name) == ("[b]x", True, True, None)
    assert f"user {key.id}, password the key" in shown
    listed = runner.invoke(app, ["keys", "list"]).output
    assert key.id in listed
    assert secret.split("_")[2] not in listed
    assert "is revoked since" in runner.invoke(app, ["keys", "revoke", key.id]).output


def test_a_key_to_read_does_not_write(runner: CliRunner, file: Path) -> None:
    assert told(runner, "create", "--project", "p", "--read")["may"] == ["read"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["create", "--project", " "], "project"),
        (["create", "--project", "a\nb"], "project"),
        (["create", "--project", "p", "--rate", "0"], "rate"),
        (["create", "--project", "p", "--may-name", "*,a"], "--may-name"),
        (["create", "--project", "p", "--expires", "soon"], "--expires"),
        (["create", "--project", "p", "--expires", "2020-01-01"], "over already"),
        (["revoke", "nobody"], "keys list"),
    ],
)
def test_what_cannot_be_is_told(words: list[str], said: str, runner: CliRunner, file: Path) -> None:
    done = runner.invoke(app, ["keys", *words])
    assert done.exit_code == 1
    assert said in str(done.exception)
    assert not file.exists() or json.loads(file.read_text())["keys"] == []
