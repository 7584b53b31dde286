"""Which file is what, and nothing counted twice."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from otel_llm_cost_exporter.reconcile import Export, ExportError, merge, narrow, read_files

from .world import CLAUDE, DAY, GPT, anthropic_page, cents, completions, cost, export, messages, openai_page, seconds

NEXT = DAY + timedelta(days=1)


def amounts(told: Export) -> list[int]:
    return sorted(record.amount // 10**12 for _, record in told.charged)


def page(value: int, day: date = DAY, **more: object) -> str:
    return openai_page("costs", cost(f"{GPT}, input", value), day=day, **more)


def test_pages_are_put_together_from_files_lists_lines_and_folders(tmp_path: Path) -> None:
    first, second = page(1, has_more=True), page(2, NEXT)
    buckets = [bucket for text in (first, second) for bucket in json.loads(text)["data"]]
    told = (
        export(first, second),
        export(f"[{first},{second}]"),
        export(f"{first}\n{second}\n"),
        export(json.dumps(buckets)),
        export(json.dumps({"data": buckets})),
    )
    for name, text in (("a.json", first), ("b.json", second), ("notes.txt", "none")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    folders = (
        merge(read_files([str(tmp_path)])),
        merge(read_files([str(tmp_path / "*.json"), str(tmp_path / "a.json")])),
    )
    for one in (*told, *folders):
        assert amounts(one) == [1, 2]
        assert one.days == (DAY, NEXT)
        assert not one.notes


def test_a_file_of_the_other_vendor_stands_beside() -> None:
    told = export(
        page(1), anthropic_page(cents("100", "output_tokens")), anthropic_page(messages(CLAUDE, output_tokens=1))
    )
    assert told.providers == ("anthropic", "openai")
    assert {(provider, table) for provider, table, _ in told.covered} == {
        ("openai", "cost"),
        ("anthropic", "cost"),
        ("anthropic", "messages"),
    }


def test_the_same_page_twice_is_counted_once() -> None:
    told = export(page(1), page(1))
    assert amounts(told) == [1]
    assert told.notes == ("1 rows were given twice and are counted once",)


def test_other_figures_for_the_same_bucket_are_refused() -> None:
    with pytest.raises(ExportError, match=r"file1.*and file0.*other figures.*leave the older file out"):
        export(page(1), page(2))


def test_two_groupings_of_one_time_are_refused() -> None:
    by_project = openai_page("costs", cost(f"{GPT}, input", 1, project_id="proj_a"))
    with pytest.raises(ExportError, match=r"two cost exports of the same time.*Leave one of them out"):
        export(page(1), by_project)
    assert amounts(export(page(1, NEXT), by_project)) == [1, 1]  # of other days they may be


def test_two_projects_exported_apart_add_up() -> None:
    one, two = (openai_page("costs", cost(f"{GPT}, input", n, project_id=f"proj_{n}")) for n in (1, 2))
    assert amounts(export(one, two)) == [1, 2]


def test_groups_that_only_differ_in_what_we_do_not_know_are_kept_apart() -> None:
    rows = [cost(f"{GPT}, input", 1, of_tomorrow=name) for name in "ab"]
    assert amounts(export(openai_page("costs", *rows), openai_page("costs", *rows))) == [1, 1]


def test_pages_that_are_missing_are_named() -> None:
    assert export(page(1, has_more=True)).notes == ("file0: has_more: the vendor has pages after 2026-11-03 00:00",)


def test_some_hours_are_a_partial_day() -> None:
    def hour(n: int) -> str:
        told = json.loads(openai_page("usage.completions", completions(GPT, input_tokens=1)))
        told["data"][0] |= {"start_time": seconds(DAY, n * 3600), "end_time": seconds(DAY, (n + 1) * 3600)}
        return json.dumps(told)

    assert export(*(hour(n) for n in range(24))).partial == frozenset()
    assert export(*(hour(n) for n in range(23))).partial == {("openai", DAY)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "file0:1: not an export that is known: 'a, b'"),
        ("", "file0:1: not an export"),
        ('{"data": [}', "file0:1: not JSON"),
        ('{"object": "page",\n "data": oops}', "file0:2: not JSON"),
        ('{"error": {"message": "no admin key"}}', "it says 'no admin key'"),
        ('{"data": [{"id": "batch_1"}]}', "not a bucket with results"),
        ('{"data": NaN}', "NaN is no number"),
        ("[1, 2]", "no buckets in it"),
        (json.dumps({"data": [{"start_time": 0, "end_time": 7 * 86_400, "results": []}]}), "nothing in it"),
        (
            openai_page("costs", cost(GPT, 1)).replace(str(seconds(NEXT)), str(seconds(DAY, 7 * 86_400))),
            "a day or less",
        ),
    ],
)
def test_what_is_not_known_is_refused_with_a_remedy(text: str, said: str) -> None:
    with pytest.raises(ExportError) as refused:
        narrow(export(text))
    assert said in str(refused.value) or "Nothing is left to compare" in str(refused.value)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    for name in (str(tmp_path / "none.csv"), str(tmp_path / "*.csv"), str(tmp_path)):
        with pytest.raises(ExportError, match="no such file"):
            read_files([name])
    (tmp_path / "image.csv").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(ExportError, match="not UTF-8"):
        read_files([str(tmp_path)])


def test_narrowing() -> None:
    told = export(
        openai_page("costs", cost(f"{GPT}, input", 1, project_id="a"), cost(f"{GPT}, input", 2, project_id="b")),
        openai_page("costs", cost(f"{GPT}, input", 3, project_id="a"), day=NEXT),
        anthropic_page(cents("400", "output_tokens")),
    )
    assert amounts(narrow(told)) == [1, 2, 3, 4]
    assert amounts(narrow(told, ["openai"])) == [1, 2, 3]
    assert amounts(narrow(told, since=NEXT)) == [3]
    assert amounts(narrow(told, until=NEXT)) == [1, 2, 4]
    assert amounts(narrow(told, projects=["a"])) == [1, 3]
    with pytest.raises(ExportError, match="no project or workspace c: it has a, b"):
        narrow(told, projects=["c"])
    with pytest.raises(ExportError, match="Nothing is left to compare: the export has anthropic, openai"):
        narrow(told, since=date(2027, 1, 1))


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_a_table_may_have_been_saved_with_another_delimiter(delimiter: str) -> None:
    header = ("usage_date_utc", "model_version", "usage_input_tokens_no_cache", "usage_output_tokens")
    text = "\n".join(map(delimiter.join, (header, (str(DAY), CLAUDE, "5.0", "6"), ("", "", "", ""))))
    (record,) = (one for _, _, one in export(text).used)
    assert record.counts == (("input", 5), ("output", 6))
