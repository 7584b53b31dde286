"""The names of attributes as SQL: for each of ours an expression that reads it from a span, whoever wrote that.

Our own name goes before foreign ones, and those go in the order of their table, as in `dialects`.  The upstream
exporter writes every attribute as text, so what is empty was not said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from otel_llm_cost import attributes, hosts
from otel_llm_cost.record import MAX_COUNT
from otel_llm_cost_exporter import decode, dialects
from otel_llm_cost_exporter.dialects import families, names
from otel_llm_cost_exporter.rows import LONGEST_TEXT

_NO_COUNTS: Final = frozenset({"estimated", "estimated_counts"})
COUNTS: Final = tuple(field for field in attributes.USAGE_NAMES if field not in _NO_COUNTS)
"""Fields of `Usage`, each a column of the same name in `llm_spans`."""
_WHOLE: Final = {
    "input_tokens": "whole_input",
    "output_tokens": "whole_output",
    "reasoning_output_tokens": "counted_reasoning",
}
_SPELLINGS: Final = {
    names.CACHE_WRITE: [names.OLD_CACHE_WRITE],
    "llm_cost.request.service_tier": ["openai.request.service_tier"],
    "llm_cost.response.service_tier": ["openai.response.service_tier"],
}
"""Our own older names, and what a vendor calls what has a name for all vendors."""
_RESOURCE: Final = frozenset({"project", "feature", "user_id", "session_id"})
TEXTS: Final = {
    "operation_text": attributes.OPERATION,
    "provider_text": attributes.PROVIDER,
    "request_model": attributes.REQUEST_MODEL,
    "response_model": attributes.RESPONSE_MODEL,
    "response_id": "gen_ai.response.id",
    "server_address": attributes.SERVER_ADDRESS,
    "server_port": "server.port",
    "service_tier": "llm_cost.response.service_tier",
    "request_service_tier": "llm_cost.request.service_tier",
    "speed": "llm_cost.speed",
    "inference_geo": "llm_cost.inference_geo",
    "stream_text": "gen_ai.request.stream",
    "batch_text": "llm_cost.batch",
    "reasons": attributes.FINISH_REASONS,
    "conversation_id": "gen_ai.conversation.id",
    "prompt_name": "gen_ai.prompt.name",
    "prompt_version": "gen_ai.prompt.version",
    "prompt_fingerprint": attributes.PROMPT_FINGERPRINT,
    "time_to_first_chunk": attributes.TIME_TO_FIRST_CHUNK,
    "stated_cost": "llm_cost.stated_cost",
    "outcome": attributes.OUTCOME,
    "resend_count": attributes.RESEND_COUNT,
    "error_said": attributes.ERROR_TYPE,
    "error_class": attributes.ERROR_CLASS,
    "status_code": attributes.STATUS_CODE,
    "estimated_text": names.ESTIMATED,
    "estimated_counts_text": names.ESTIMATED_COUNTS,
    "asides_text": attributes.ASIDES,
    "project": "llm_cost.project",
    "feature": "llm_cost.feature",
    "user_id": "user.id",
    "session_id": "session.id",
}
"""Name of the text in the SQL → attribute."""
READ_BY_SQL: Final = frozenset(
    {
        "opentelemetry.instrumentation.anthropic",
        "opentelemetry.instrumentation.google_generativeai",
        "opentelemetry.instrumentation.vertexai",
    }
)
"""Scopes with a reader of their own whose rule the SQL has, too; of the others it says that it cannot."""
_PRIVATE: Final = (
    r"^(10|127|169\.254|192\.168|172\.(1[6-9]|2[0-9]|3[01]))\.[0-9.]+$"
    r"|^(::1|f[cd][0-9a-f]{2}:.*|fe[89ab][0-9a-f]:.*)$"
)
"""Addresses that are nobody's in public, as the library that `hosts` asks knows them."""
_LISTS: Final = frozenset({"asides_text", "reasons", "estimated_counts_text"})
"""Texts that are JSON, which must not be cut."""


def quoted(text: str) -> str:
    """A text as SQL writes it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def listed(texts: Iterator[str] | list[str]) -> str:
    """Texts as an array."""
    return "[" + ", ".join(map(quoted, texts)) + "]"


def replaced(value: str, table: Mapping[str, str]) -> str:
    """A value by a table; one that is not in it stays as it is."""
    return f"transform({value}, {listed(list(table))}, {listed(list(table.values()))}, {value})"


def _translated(value: str, translation: Any) -> str:
    """What a translation of `dialects` does, in SQL.  KeyError at one that is not known here: say it here, too."""
    known = {
        "_same": value,
        "_worded": value,
        "listed": value,
        "_some": f"if({value} = '0', '', {value})",
        "_money": f"if({value} IN ('0', '0.0'), '', {value})",
        "_request_type": replaced(value, names.REQUEST_TYPES),
        "_span_kind": f"transform(upper({value}), {listed(list(names.SPAN_KINDS))}, "
        f"{listed(list(names.SPAN_KINDS.values()))}, lower({value}))",
    }
    return known[translation.__name__]


def _sources(attribute: str) -> list[str]:
    ours = [attribute, *_SPELLINGS.get(attribute, ())]
    found = [f"a[{quoted(name)}]" for name in ours]
    found += [
        _translated(f"a[{quoted(name)}]", translation)
        for name, (target, translation) in names.FOREIGN.items()
        if target in ours
    ]
    return found


def _first(sources: list[str]) -> str:
    """The first that is not empty."""
    if len(sources) == 1:
        return sources[0]
    *others, last = sources
    return "multiIf(" + ", ".join(f"{source} != '', {source}" for source in others) + f", {last})"


def signs() -> Iterator[str]:
    """Whether a span may be a call."""
    said = sorted(decode.OUR_SIGNS | dialects.SIGNS)
    yield "hasAny(mapKeys(SpanAttributes), ["
    yield from (f"    {quoted(name)}," for name in said[:-1])
    yield f"    {quoted(said[-1])}])"


def columns() -> Iterator[str]:
    """The counts as columns."""
    return (f"{field} Nullable(UInt64)," for field in COUNTS)


def texts() -> Iterator[str]:
    """Every attribute that is read, as text; a name is cut to what a row keeps of it."""
    for column, attribute in TEXTS.items():
        sources = _sources(attribute) + ([f"r[{quoted(attribute)}]"] if column in _RESOURCE else [])
        text = _first(sources)
        yield f"{text if column in _LISTS else f'substringUTF8({text}, 1, {LONGEST_TEXT})'} AS {column},"
    for field in COUNTS:
        yield f"{_first(_sources(attributes.USAGE_NAMES[field]))} AS text_{field}_,"


def values() -> Iterator[str]:
    """Operation and provider under the names of the conventions."""
    ours = f"scope = {quoted(dialects.OURS)}"
    yield f"if({ours}, operation_text, {replaced('operation_text', names.OPERATIONS)}) AS operation_named,"
    yield f"if({ours}, provider_text, {replaced('lower(trim(provider_text))', names.PROVIDERS)}) AS provider_said,"
    yield from _seller(ours)


def _seller(ours: str) -> Iterator[str]:
    """As `decode` has it: where an SDK was pointed at another's host, the host says whose price it is."""
    elsewhere = f"NOT {ours} AND server_address != '' AND provider_said IN {_tuple(decode.OFTEN_ELSEWHERE)}"
    yield "replaceRegexpAll(lower(trim(server_address)), '[\\\\[\\\\]]', '') AS host,"
    yield "splitByChar('.', host) AS labels,"
    yield "arrayMap(i -> arrayStringConcat(arraySlice(labels, i), '.'), range(1, length(labels) + 1)) AS ends,"
    known = f"transform(one, {listed(list(hosts.VENDORS))}, {listed(list(hosts.VENDORS.values()))}, '')"
    yield f"arrayFirst(one -> one != '', arrayMap(one -> {known}, ends)) AS vendor,"
    local = " OR ".join(f"endsWith(host, {quoted(end)})" for end in hosts.LOCAL)
    bare = "(position(host, '.') = 0 AND position(host, ':') = 0)"
    yield f"({local} OR match(host, {quoted(_PRIVATE)}) OR {bare}) AS local,"
    yield f"multiIf(NOT ({elsewhere}), provider_said, vendor != '', vendor,"
    for pattern, name in hosts.PATTERNS:
        yield f"    match(host, {quoted(pattern.pattern)}), {quoted(name)},"
    yield f"    NOT local OR host IN {_tuple(hosts.SERVICES)}, host,"
    for port, name in hosts.PORTS.items():
        yield f"    server_port = '{port}', {quoted(name)},"
    yield "    host) AS provider_named,"


def _tuple(texts: Iterable[str]) -> str:
    return "(" + ", ".join(map(quoted, sorted(texts))) + ")"


def unread() -> Iterator[str]:
    """Whether the dialect says what was used in a way that SQL does not read."""
    scopes = sorted(families.READERS.keys() - READ_BY_SQL)
    yield f"has({listed(scopes)}, scope) AS unread,"


def counts() -> Iterator[str]:
    """The counts as numbers."""
    for field in COUNTS:
        value = _WHOLE.get(field, f"toInt64OrNull(text_{field}_)")
        yield f"if({value} BETWEEN 0 AND {MAX_COUNT}, toUInt64({value}), NULL) AS {field},"


def bad() -> Iterator[str]:
    """The names of counts that are none."""
    yield "arrayFilter(name -> name != '', ["
    for field in COUNTS:
        text, name = f"text_{field}_", quoted(attributes.USAGE_NAMES[field])
        comma = "" if field == COUNTS[-1] else ","
        no_count = f"ifNull(toInt64OrNull({text}) NOT BETWEEN 0 AND {MAX_COUNT}, true)"
        yield f"    if({text} != '' AND {no_count}, {name}, ''){comma}"
    yield "]) AS bad_counts,"


def usage_said() -> Iterator[str]:
    """Whether a span says anything of usage."""
    said = [f"text_{field}_ != ''" for field in COUNTS] + ["estimated_text != ''", "estimated_counts_text != ''"]
    yield from (f"{part} OR" for part in said[:-1])
    yield said[-1]


def says_what() -> Iterator[str]:
    """Whether a span that says nothing of usage is a call."""
    not_calls = ", ".join(map(quoted, sorted(decode.NOT_CALLS)))
    yield f"operation_named NOT IN ({not_calls})"
    yield "AND (operation_named != '' OR request_model != '' OR response_model != '')"
