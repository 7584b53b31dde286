"""From paths to documents to one export: what each file is, and nothing counted twice.

Several files and pages of one export are put together.  The same bucket and group again, with the same figures, is
counted once (a page fetched twice); with other figures it is refused, because one of the two is out of date; and two
exports of one time that are grouped differently are refused too, because they would be counted both.
"""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from . import anthropic, openai
from .reading import Place, columns, days_between, parsed, rows
from .records import Charged, Document, Export, ExportError, Row, Span, Used, whole_day

_SUFFIXES: Final = (".csv", ".tsv", ".json", ".jsonl", ".ndjson")
_LARGEST: Final = 512 * 1024 * 1024
_DAY: Final = timedelta(days=1)
_Header = Callable[[frozenset[str]], bool]
_Table = Callable[[str, Sequence[Place]], Document]

_TABLES: Final[tuple[tuple[_Header, _Table], ...]] = (
    (anthropic.is_usage_header, anthropic.usage_csv),
    (anthropic.is_cost_header, anthropic.cost_csv),
    (openai.is_cost_header, openai.cost_csv),
    (openai.is_older_header, openai.older),
    (openai.is_usage_header, openai.usage_csv),
    (openai.is_empty_header, openai.usage_csv),
)
_KNOWN: Final = (
    "Known are the cost and usage exports of OpenAI's and Anthropic's consoles (CSV) and Admin APIs (JSON):"
    " docs/reconcile.md says where to get them"
)


def read_files(given: Iterable[str]) -> list[Document]:
    """The documents of files, folders and globs; ExportError with file, line and remedy."""
    paths = list(dict.fromkeys(path for name in given for path in _paths(name)))
    return [document for path in paths for document in read_text(str(path), _text(path))]


def _paths(name: str) -> list[Path]:
    path = Path(name).expanduser()
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.suffix.lower() in _SUFFIXES and p.is_file())
    else:
        found = [path] if path.exists() else sorted(map(Path, glob.glob(str(path))))  # noqa: PTH207  # any path at all
    if not found:
        raise ExportError(f"{name}: there is no such file, or no {', '.join(_SUFFIXES)} file in it.")
    return found


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise ExportError(
                f"{path} is larger than {_LARGEST >> 20} MB: export fewer days, or days instead of minutes."
            )
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ExportError(f"{path}: not UTF-8 text: {error.reason} at byte {error.start}.  {_KNOWN}.") from error
    except OSError as error:
        raise ExportError(f"{path}: {error.strerror or error}.") from error


def read_text(name: str, text: str) -> list[Document]:
    """The documents of one file, by its content."""
    if text.lstrip()[:1] in ("{", "["):
        return [document for where, value in parsed(name, text) for document in _values(name, where, value)]
    header = columns(text)
    for fits, read in _TABLES:
        if fits(header):
            return [read(name, rows(name, text))]
    raise ExportError(f"{name}:1: not an export that is known: {', '.join(sorted(header))[:200]!r}.  {_KNOWN}.")


def _values(name: str, where: str, value: Any) -> Iterator[Document]:
    """A page, a list of pages, or a list of buckets."""
    if isinstance(value, list) and not all(map(_is_bucket, value)):
        for i, page in enumerate(value):
            yield from _values(name, f"{where}: [{i}]", page)
        return
    page = value if isinstance(value, dict) else {"data": value}
    data = [page] if _is_bucket(page) else page.get("data")
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise ExportError(f"{where}: no buckets in it ({_said(page)}).  {_KNOWN}.")
    if data and "n_context_tokens_total" in data[0]:
        yield openai.older(name, [Place(f"{where}: data[{i}]", item) for i, item in enumerate(data)])
        return
    found = [_bucket(name, f"{where}: data[{i}]", item) for i, item in enumerate(data)]
    yield from _page(name, found, more=page.get("has_more") is True)


def _is_bucket(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("results"), list)


def _said(page: dict[str, Any]) -> str:
    error = page.get("error")
    said = error.get("message") if isinstance(error, dict) else None
    return f"it says {str(said)[:200]!r}" if said else ", ".join(sorted(map(str, page)))[:200] or "it is empty"


def _bucket(name: str, where: str, item: dict[str, Any]) -> Document:
    if not _is_bucket(item) or not all(isinstance(result, dict) for result in item["results"]):
        raise ExportError(f"{where}: not a bucket with results.  {_KNOWN}.")
    results = [Place(f"{where}.results[{i}]", result) for i, result in enumerate(item["results"])]
    vendor = anthropic if "starting_at" in item else openai
    found: Document = vendor.bucket(name, Place(where, item), results)
    return found


def _page(name: str, buckets: Sequence[Document], *, more: bool) -> Iterator[Document]:
    """The buckets of a page as one document; an empty bucket is of what the others are."""
    kinds = dict.fromkeys((b.provider, b.table) for b in buckets if b.table)
    if not kinds:
        yield Document(name=name, provider="", table="", spans=(), rows=(), notes=(f"{name}: nothing in it",))
    for provider, table in kinds:
        inside = [b for b in buckets if b.table in (table, "") and b.provider == provider]
        spans = tuple(span for b in inside for span in b.spans)
        end = f"{max(span.end for span in spans):%Y-%m-%d %H:%M}"
        yield Document(
            name=name,
            provider=provider,
            table=table,
            spans=spans,
            rows=tuple(row for b in inside for row in b.rows),
            notes=(f"{name}: has_more: the vendor has pages after {end}",) if more else (),
        )


def merge(documents: Sequence[Document]) -> Export:
    """All documents as one export; ExportError where they contradict each other."""
    told = [document for document in documents if document.table]
    kept, again = _once(told)
    hours = _covered(told)
    last = {(d.provider, d.table): max(s.end for e in told if _same(e, d) for s in e.spans) for d in told if d.spans}
    notes = [n for d in documents for n in d.notes if "has_more" not in n or _ends(d, last)]
    if again:
        notes.append(f"{again} rows were given twice and are counted once")
    return Export(
        used=tuple((d.provider, d.table, row.record) for d, row in kept if isinstance(row.record, Used)),
        charged=tuple((d.provider, row.record) for d, row in kept if isinstance(row.record, Charged)),
        covered=frozenset(hours),
        partial=frozenset((provider, day) for (provider, _, day), covered in hours.items() if covered < _DAY),
        files=tuple(dict.fromkeys(document.name for document in documents)),
        notes=tuple(dict.fromkeys(notes)),
    )


def _same(left: Document, right: Document) -> bool:
    return (left.provider, left.table) == (right.provider, right.table)


def _ends(document: Document, last: dict[tuple[str, str], Any]) -> bool:
    """Whether nothing that was given comes after this page."""
    return bool(document.spans) and max(s.end for s in document.spans) == last.get((document.provider, document.table))


def _once(documents: Sequence[Document]) -> tuple[list[tuple[Document, Row]], int]:
    """Every group of every bucket once, and how many rows were there again."""
    seen: dict[Any, tuple[Document, tuple[Row, ...]]] = {}
    kept: list[tuple[Document, Row]] = []
    again = 0
    shapes = [_shape(document) for document in documents]
    for i, document in enumerate(documents):
        for earlier in shapes[:i]:
            _check_grouping(earlier, shapes[i])
        for key, inside in _groups(document).items():
            if key not in seen:
                seen[key] = (document, inside)
                kept += [(document, row) for row in inside]
                continue
            before = seen[key][1]
            if [row.record for row in before] != [row.record for row in inside]:
                raise ExportError(
                    f"{inside[0].where} and {before[0].where} give other figures for the same bucket."
                    "  One is out of date: leave the older file out."
                )
            again += len(inside)
    return kept, again


def _groups(document: Document) -> dict[Any, tuple[Row, ...]]:
    groups: dict[Any, list[Row]] = {}
    for row in document.rows:
        groups.setdefault((document.provider, document.table, row.group), []).append(row)
    return {key: tuple(inside) for key, inside in groups.items()}


class _Shape(NamedTuple):
    """How a document is grouped, and when it is about."""

    document: Document
    names: frozenset[str]
    widths: frozenset[timedelta]
    days: Mapping[date, tuple[Span, ...]]


def _shape(document: Document) -> _Shape:
    days: dict[date, list[Span]] = {}
    for span in document.spans:
        for day in _days(span):
            days.setdefault(day, []).append(span)
    return _Shape(
        document,
        frozenset(name for row in document.rows for name, value in row.group if value),
        frozenset(span.end - span.start for span in document.spans),
        {day: tuple(spans) for day, spans in days.items()},
    )


def _check_grouping(one: _Shape, other: _Shape) -> None:
    alike = (one.names, one.widths) == (other.names, other.widths) or not one.names or not other.names
    if _same(one.document, other.document) and not alike and _overlap(one, other):
        raise ExportError(
            f"{one.document.name} and {other.document.name} are two {one.document.table} exports of the same time,"
            f" by {', '.join(sorted(one.names))} and by {', '.join(sorted(other.names))}: together they would count"
            " everything twice.  Leave one of them out."
        )


def _overlap(one: _Shape, other: _Shape) -> bool:
    return any(
        left.start < right.end and right.start < left.end
        for day in one.days.keys() & other.days.keys()
        for left in one.days[day]
        for right in other.days[day]
    )


def _days(span: Span) -> Iterator[date]:
    return days_between(span.start.date(), (span.end - timedelta(microseconds=1)).date())


def _covered(documents: Sequence[Document]) -> dict[tuple[str, str, date], timedelta]:
    """How much of each day the buckets are about."""
    spans: dict[tuple[str, str, date], set[Span]] = {}
    for document in documents:
        for span in document.spans:
            if not timedelta(0) < span.end - span.start <= _DAY:
                raise ExportError(
                    f"{document.name}: a bucket from {span.start:%Y-%m-%d %H:%M} to {span.end:%Y-%m-%d %H:%M}."
                    "  Export with buckets of a day or less."
                )
            for day in _days(span):
                spans.setdefault((document.provider, document.table, day), set()).add(span)
    return {key: _length(key[2], found) for key, found in spans.items()}


def _length(day: date, spans: Iterable[Span]) -> timedelta:
    """Of the day, what lies in any of the buckets."""
    whole = whole_day(day)
    total, reached = timedelta(0), whole.start
    for span in sorted(spans):
        start, end = max(span.start, reached), min(span.end, whole.end)
        if end > start:
            total, reached = total + (end - start), end
    return total
