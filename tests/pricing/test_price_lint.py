"""`otel-llm-cost prices validate`: what a file says wrong, and what it says in vain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from otel_llm_cost_exporter.cli.output import CommandError
from otel_llm_cost_exporter.cli.prices import app


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "prices.yaml"


def validate(file: Path, *entries: str) -> Result:
    file.write_text("entries:\n" + "".join(f"- {{{entry}}}\n" for entry in entries))
    return CliRunner().invoke(app, ["validate", str(file)], catch_exceptions=False, env={"COLUMNS": "60"})


def test_a_file_without_a_fault(file: Path) -> None:
    result = validate(file, "provider: openai, model: gpt-4o, multiplier: 0.9")
    assert (result.exit_code, result.output) == (0, f"{file}: nothing to mend\n")


def test_all_faults_are_listed_one_line_each(file: Path) -> None:
    result = validate(file, "provider: p, model: m, rates: {inptu: 1}", "model: m, rates: {input: x}")
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert [line.partition(" ")[0] for line in lines] == [f"{file}:2:35:", f"{file}:3:3:", f"{file}:3:29:"]


def test_json_has_the_same(file: Path) -> None:
    file.write_text("entries:\n- {provider: p, model: m, price: 1}\n")
    result = CliRunner().invoke(app, ["validate", str(file), "--json"])
    told: list[dict[str, Any]] = json.loads(result.output)
    assert [(one["line"], one["field"], one["level"]) for one in told] == [
        (2, "entries[0]", "error"),
        (2, "entries[0].price", "error"),
    ]


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        (["provider: opneai, model: gpt-4o, multiplier: 0.9"], "did you mean 'openai'?"),
        (["provider: nobody, model: m, fees: {web_search: 1}"], "nothing prices 'nobody'"),
        (["provider: openai, model: gpt-99o, multiplier: 0.9"], "openai has no such model"),
        (["provider: openai, model: gtp-4o*, multiplier: 0.9"], "did you mean 'gpt-4o'?"),
        (["provider: azure, model: d, same_as: openai/gtp-4o"], "the data has no price of openai/gtp-4o"),
        (["provider: azure, model: d, same_as: azure/d"], "the same as itself"),
        (
            ["provider: azure, model: d, same_as: azure/e", "provider: azure, model: e, same_as: openai/gpt-4o"],
            "azure/e is itself the same as openai/gpt-4o",
        ),
        (["provider: openai, model: gpt-4o, context: {service_tier: default}, multiplier: 2"], "leave it out"),
        (["provider: openai, model: gpt-4o, context: {speed: standard}, multiplier: 2"], "leave it out"),
        (["provider: openai, model: gpt-4o, context: {service_tier: batch}, multiplier: 2"], '"batch": true'),
        (["provider: google, model: '*', context: {service_tier: on_demand_flex}, multiplier: 2"], "write that"),
        (
            [
                "provider: openai, model: gpt-4o, rates: {input: 1}",
                "provider: openai, model: gpt-4*, rates: {input: 2}",
            ],
            "the entry on line 3 sets all of this again",
        ),
        (
            ["provider: azure, model: d, same_as: openai/gpt-4o", "provider: azure, model: d, same_as: openai/o3"],
            "the entry on line 3 sets all of this again",
        ),
    ],
)
def test_an_entry_that_no_call_can_meet_is_told(file: Path, entries: list[str], told: str) -> None:
    result = validate(file, *entries)
    assert result.exit_code == 1
    assert f"{file}:2:" in result.output
    assert "never applies" in result.output
    assert told in result.output


@pytest.mark.parametrize(
    "entries",
    [
        ["provider: openai, model: gpt-4o, rates: {input: 1}", "provider: openai, model: gpt-4o, rates: {output: 2}"],
        ["provider: openai, model: gpt-4o, rates: {input: 1}", "provider: openai, model: gpt-4o, multiplier: 2"],
        [
            "provider: openai, model: gpt-4o, rates: {input: 1}",
            "provider: openai, model: gpt-4o, rates: {input: 2}, valid_from: 2026-01-01",
        ],
        [
            "provider: openai, model: gpt-4o, context: {batch: true}, rates: {input: 1}",
            "provider: openai, model: gpt-4o, rates: {input: 2}",
        ],
        ["provider: openai, model: gpt-4*, rates: {input: 1}", "provider: openai, model: 'gpt-4?', rates: {input: 2}"],
        ["provider: azure, model: gpt-4o*, multiplier: 0.9"],
        ["provider: openai, model: 'ft:gpt-4o-2024-08-06:acme*', multiplier: 0.9"],
        ["provider: azure, model: mine, multiplier: 0.9", "provider: azure, model: mine, same_as: openai/gpt-4o"],
        ["provider: 10.0.0.1, model: 'llama*', rates: {input: 1}", "provider: 10.0.0.1, model: '*', multiplier: 2"],
    ],
)
def test_an_entry_that_some_call_can_meet_is_not(file: Path, entries: list[str]) -> None:
    assert validate(file, *entries).output == f"{file}: nothing to mend\n"


def test_a_name_like_a_vendors_is_a_hint_and_no_fault(file: Path) -> None:
    result = validate(file, "provider: anthropics, model: m, rates: {input: 1}")
    assert result.exit_code == 0
    assert "hint" in result.output
    assert "did you mean 'anthropic'?" in result.output


def test_a_file_that_is_not_there(file: Path) -> None:
    with pytest.raises(CommandError, match=r"prices\.yaml: No such file"):
        CliRunner().invoke(app, ["validate", str(file)], catch_exceptions=False)


def test_the_packaged_overlay_says_nothing_in_vain() -> None:
    packaged = Path(__file__).parents[2] / "src" / "otel_llm_cost" / "pricing" / "data" / "overlay.json"
    result = CliRunner().invoke(app, ["validate", str(packaged)], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output


def test_a_model_that_another_file_in_force_prices_is_there(file: Path, own_folders: Path) -> None:
    mine = own_folders / "config" / "otel-llm-cost" / "prices.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("entries:\n- {provider: 10.0.0.1, model: llama, rates: {input: 1}}\n")
    assert validate(file, "provider: 10.0.0.1, model: llama, multiplier: 2").exit_code == 0
