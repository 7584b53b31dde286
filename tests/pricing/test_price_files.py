"""Files of prices: where they are found, which wins, and what is said of one that is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost.record import Usage
from otel_llm_cost_exporter.prices.data import load_book, load_prices
from otel_llm_cost_exporter.prices.files import OverlayFile, PriceFileError, overlay_files, read_overlay

TODAY = date(2026, 11, 1)
ONE = Usage(input_tokens=1, output_tokens=0)
Writer = Callable[..., Path]


@pytest.fixture
def write() -> Writer:
    def file(path: Path, price: str = "1", model: str = "m") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"entries:\n  - provider: p\n    model: {model}\n    rates: {{input: {price}}}\n")
        return path

    return file


def price(book: PriceBook, model: str = "m") -> int | None:
    return book.price("p", model, ONE, TODAY).total


def test_ranks_rise_from_the_project_to_the_option(own_folders: Path, tmp_path: Path, write: Writer) -> None:
    environ = {"XDG_CONFIG_HOME": str(own_folders / "config")}
    seen = []
    for n, path in enumerate(
        (
            tmp_path / "llm-cost-prices.yaml",
            own_folders / "config" / "otel-llm-cost" / "prices.json",
            tmp_path / "env.yaml",
            tmp_path / "option.yaml",
        ),
        start=1,
    ):
        write(path, str(n))
        if path.name == "env.yaml":
            environ["OTEL_LLM_COST_PRICES"] = str(path)
        book = load_book(path if path.name == "option.yaml" else None, environ, tmp_path)
        seen.append((price(book), book.price("p", "m", ONE, TODAY).source.split("; ")[-1].partition(" ")[0]))
    assert seen == [(1_000_000, "project"), (2_000_000, "user"), (3_000_000, "environment"), (4_000_000, "option")]


def test_a_row_tells_which_line_of_which_file_set_its_price(
    own_folders: Path, tmp_path: Path, write: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(own_folders))
    path = write(own_folders / "config" / "otel-llm-cost" / "prices.yaml")
    cost = load_book(directory=tmp_path).price("p", "m", ONE, TODAY)
    assert cost.source.endswith("; user overlay: ~/config/otel-llm-cost/prices.yaml:2")
    assert "+user-" in cost.version
    path.write_text("# a comment\n" + path.read_text().replace("model: m", "model: m\n    note: as agreed"))
    assert load_book(directory=tmp_path).version == cost.version


def test_the_nearest_project_file_up_to_the_repository_counts(tmp_path: Path, write: Writer) -> None:
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    inner = tmp_path / "repo" / "a" / "b"
    inner.mkdir(parents=True)
    write(tmp_path / "llm-cost-prices.yaml", "9")
    assert overlay_files(environ={}, directory=inner) == ()
    outer = write(tmp_path / "repo" / "llm-cost-prices.yml", "1")
    assert overlay_files(environ={}, directory=inner) == (OverlayFile(outer, "project"),)
    nearer = write(tmp_path / "repo" / "a" / "llm-cost-prices.json", "2")
    assert overlay_files(environ={}, directory=inner) == (OverlayFile(nearer, "project"),)


def test_outside_of_a_repository_parents_are_not_asked(tmp_path: Path, write: Writer) -> None:
    write(tmp_path / "llm-cost-prices.yaml")
    (tmp_path / "sub").mkdir()
    assert overlay_files(environ={}, directory=tmp_path / "sub") == ()


def test_two_files_in_one_place_are_one_too_many(tmp_path: Path, write: Writer) -> None:
    for suffix in ("yaml", "json"):
        write(tmp_path / f"llm-cost-prices.{suffix}")
    with pytest.raises(PriceFileError, match=r"llm-cost-prices\.yaml and .*llm-cost-prices\.json .*keep one"):
        load_book(environ={}, directory=tmp_path)


def test_a_file_that_is_named_and_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(PriceFileError, match=r"gone\.yaml: No such file.*OTEL_LLM_COST_PRICES names it"):
        load_book(environ={"OTEL_LLM_COST_PRICES": str(tmp_path / "gone.yaml")}, directory=tmp_path)
    with pytest.raises(PriceFileError, match=r"gone\.yaml.*--overlay names it"):
        load_book(tmp_path / "gone.yaml", {}, tmp_path)


def test_a_link_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    (tmp_path / "llm-cost-prices.yaml").symlink_to(tmp_path / "unmounted")
    with pytest.raises(PriceFileError, match=r"llm-cost-prices\.yaml: No such file"):
        load_book(environ={}, directory=tmp_path)


def test_a_file_that_goes_away_between_finding_and_reading_is_told(
    tmp_path: Path, write: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "llm-cost-prices.yaml")
    found = overlay_files(environ={}, directory=tmp_path)
    path.unlink()
    monkeypatch.setattr("otel_llm_cost_exporter.prices.data.overlay_files", lambda *_: found)
    with pytest.raises(PriceFileError, match=r"llm-cost-prices\.yaml: No such file"):
        load_book(environ={}, directory=tmp_path)


def test_a_relative_xdg_folder_is_ignored_as_its_specification_asks(tmp_path: Path, write: Writer) -> None:
    path = write(tmp_path / ".config" / "otel-llm-cost" / "prices.yaml")
    environ = {"XDG_CONFIG_HOME": "config", "HOME": str(tmp_path)}
    assert overlay_files(environ=environ, directory=Path("/")) == (OverlayFile(path, "user"),)
    assert load_prices(environ={}, directory=tmp_path).files == ()


def test_a_number_is_taken_from_its_text(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(
        "entries:\n"
        "- {provider: p, model: a, rates: {input: 0.1, output: '0.1'}}\n"
        "- {provider: p, model: b, rates: {input: 2.50}, multiplier: 1.000000000001}\n"
        '- {"provider": "p", "model": "c", "rates": {"input": 3}, "tiers": [{"above": 10, "rates": {"input": 6.5}}]}\n'
    )
    a, b, c = read_overlay(path).entries
    assert a.rates == {"input": 100_000, "output": 100_000}
    assert (b.rates, b.multiplier) == ({"input": 2_500_000}, (1_000_000_000_001, 1_000_000_000_000))
    assert (c.rates, c.tiers) == ({"input": 3_000_000}, ((10, {"input": 6_500_000}),))


def test_json_is_read_as_its_authors_write_it(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_text(
        '\ufeff{\n\t"entries": [\n\t\t{"provider": "p", "model": "\\ud83d\\ude00", "rates": {"input": 0.1}}\n\t]\n}\n',
        encoding="utf-8",
    )
    (entry,) = read_overlay(path).entries
    assert (entry.model, entry.rates) == ("😀", {"input": 100_000})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "1:1: expected an object"),
        ("entries: {}", "1:1: expected an object"),
        ("- provider: p", "1:1: expected an object"),
        ("entries: [\n  {provider: p,\n", r"3:1: not readable"),
        ('{"entries": [}', r"1:14: not readable"),
        ("entries: []\nentires: []", r"2:1: entires: unknown field 'entires'; did you mean 'entries'\?"),
        ("entries: []\n---\nentries: []", "2:1: not readable"),
        ("entries: []\nentries: []", "2:1: 'entries' stands twice here, first on line 1"),
        ("entries:\n- &a {provider: p, model: m, rates: {input: 1}}\n- *a", "2:3: an anchor is used again"),
        ("entries:\n- ? [a]\n  : b", "2:5: expected a name"),
        ("entries: [\x07]", "1:11: a character that is not allowed"),
        ("[" * 1200, "1:1: nested too deeply"),
        (
            "entries:\n- {provider: p, model: m, rates: {input: 1e-3}}",
            r"2:42: entries\[0\]\.rates\.input: expected a dec",
        ),
        ("entries:\n- {provider: p, model: m, rates: {input: 0x10}}", r"2:42: .*expected a decimal number"),
        ("entries:\n- {provider: p, model: m, rates: {input: -1}}", r"2:42: .*not negative"),
        ("entries:\n- {provider: p, model: m, rates: {input: .nan}}", r"2:42: .*expected a decimal number"),
        (
            "entries:\n- {provider: p, model: m, rates: {inptu: 1}}",
            r"2:35: .*unknown bucket 'inptu'; did you mean 'input'",
        ),
        ("entries:\n- {provider: p, model: m, rates: {web_search: 1}}", r"2:47: .*'web_search' belongs in 'fees'"),
        ("entries:\n- {provider: p, model: m, mutliplier: 1}", r"2:27: .*did you mean 'multiplier'"),
        ("entries:\n- {provider: p, model: 4, multiplier: 1}", r"2:24: .*put 4 in quotes"),
        ("entries:\n- {provider: p, multiplier: 1}", r"2:3: entries\[0\]: the field 'model' is missing"),
        (
            "entries:\n- {provider: p, model: m, context: {tier: flex}, multiplier: 1}",
            r"2:37: .*unknown context 'tier'",
        ),
        (
            "entries:\n- {provider: p, model: m, context: {batch: maybe}, multiplier: 1}",
            r"2:44: .*expected true or false",
        ),
        ("entries:\n- {provider: p, model: m, multiplier: 1, valid_to: 2026-02-30}", r"2:52: .*expected a day"),
        (
            "entries:\n- {provider: p, model: m, multiplier: 1, valid_from: 2026-02-01, valid_to: 2026-02-01}",
            r"2:76: entries\[0\]\.valid_to: no day is from 2026-02-01 on and before 2026-02-01",
        ),
        ("entries:\n- {provider: p, model: m, same_as: q/x, multiplier: 1}", r"2:53: .*second entry"),
        (
            "entries:\n- {provider: p, model: m, multiplier: 1, fills_gap: true}",
            r"2:53: .*does nothing without 'context'",
        ),
        (
            "entries:\n- {provider: p, model: m, rates: {input: 1}, tiers: [{above: 1.5, rates: {input: 1}}]}",
            r"2:62: .*whole",
        ),
    ],
)
def test_every_fault_has_its_line_and_column(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PriceFileError, match=rf"prices\.yaml:{told}"):
        read_overlay(path)


def test_all_faults_are_told_at_once_in_the_order_of_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(
        "entries:\n- provider: p\n  model: m\n  rates: {inptu: 1, output: x}\n  valid_to: soon\n"
        "- model: m\n  rates: {}\n"
    )
    with pytest.raises(PriceFileError) as raised:
        read_overlay(path)
    assert [(finding.line, finding.field) for finding in raised.value.findings] == [
        (4, "entries[0].rates.inptu"),
        (4, "entries[0].rates.output"),
        (5, "entries[0].valid_to"),
        (6, "entries[1]"),
        (7, "entries[1].rates"),
    ]


def test_what_is_not_utf_8_is_told_by_line(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_bytes(b"entries: []\n# caf\xe9\n")
    with pytest.raises(PriceFileError, match=r"prices\.yaml:2:6: not UTF-8"):
        read_overlay(path)


def test_a_version_is_the_same_in_every_process(tmp_path: Path, write: Writer) -> None:
    write(tmp_path / "llm-cost-prices.yaml")
    code = "from otel_llm_cost_exporter.prices.data import load_book; print(load_book(environ={}).version)"
    versions = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(versions) == 1


def test_a_process_whose_working_directory_was_taken_away_has_no_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert overlay_files(environ={}) == ()
