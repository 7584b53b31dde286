"""How ClickHouse's HTTP interface tells what went wrong, and what is in what an answer begins with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

MEDIA_TYPES: Final[Mapping[str, str]] = {
    "CSV": "text/csv; charset=UTF-8",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "JSONStrings": "application/json; charset=UTF-8",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "XML": "application/xml; charset=UTF-8",
}
_BINARY: Final = frozenset(
    {
        "Native",
        "RowBinary",
        "RowBinaryWithNames",
        "RowBinaryWithNamesAndTypes",
        "Arrow",
        "ArrowStream",
        "Parquet",
        "ORC",
    }
)

# the numbers of ClickHouse's errors
SYNTAX_ERROR: Final = 62
NOT_SUPPORTED: Final = 48
UNKNOWN_FORMAT: Final = 73
UNKNOWN_DATABASE: Final = 81
READONLY: Final = 164
TOO_LARGE: Final = 307
BUSY: Final = 202
ACCESS_DENIED: Final = 497
AUTHENTICATION_FAILED: Final = 516
BAD_ARGUMENTS: Final = 36
UNKNOWN_SETTING: Final = 115

_NAMES: Final = {
    SYNTAX_ERROR: "SYNTAX_ERROR",
    NOT_SUPPORTED: "NOT_IMPLEMENTED",
    UNKNOWN_FORMAT: "UNKNOWN_FORMAT",
    UNKNOWN_DATABASE: "UNKNOWN_DATABASE",
    READONLY: "READONLY",
    TOO_LARGE: "TOO_MANY_BYTES",
    BUSY: "TOO_MANY_SIMULTANEOUS_QUERIES",
    ACCESS_DENIED: "ACCESS_DENIED",
    AUTHENTICATION_FAILED: "AUTHENTICATION_FAILED",
    BAD_ARGUMENTS: "BAD_ARGUMENTS",
    UNKNOWN_SETTING: "UNKNOWN_SETTING",
}
_STATUSES: Final = {
    **dict.fromkeys((192, 193, 194, READONLY, ACCESS_DENIED, AUTHENTICATION_FAILED), 403),
    **dict.fromkeys((6, 26, 27, 36, 38, 41, 43, 53, 57, 62, 70, 72, 115, 130, 131, 134, 386, 456, 457), 400),
    **dict.fromkeys((16, 46, 47, 50, 60, 73, 81, 194), 404),
    159: 408,
    TOO_LARGE: 413,
    NOT_SUPPORTED: 501,
    BUSY: 503,
}


class Refusal(Exception):
    """A request that is not answered: ClickHouse's error number and a text that says what to do instead."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code

    @property
    def name(self) -> str:
        """ClickHouse's name of the error."""
        return _NAMES[self.code]

    def __str__(self) -> str:
        return f"Code: {self.code}. DB::Exception: {self.args[0]} ({self.name})"


def status_of(code: int) -> int:
    """The HTTP status that ClickHouse gives an error of this number."""
    return _STATUSES.get(code, 500)


def media_type(form: str) -> str:
    if form in _BINARY:
        return "application/octet-stream"
    return MEDIA_TYPES.get(form, "text/plain; charset=UTF-8")


def late_fault(text: str, tag: str) -> bytes:
    """An error behind the rows that went out already.

    A client that knows the tag from the header `X-ClickHouse-Exception-Tag` finds marker, tag, text, the text's length
    in bytes, tag and marker at the end; to any other the connection breaks off.
    https://clickhouse.com/docs/interfaces/http#http_response_codes_caveats
    """
    told = text.encode()
    told = told if told.endswith(b"\n") else told + b"\n"
    mark = tag.encode()
    return b"\r\n__exception__\r\n%b\r\n%b%d %b\r\n__exception__\r\n" % (mark, told, len(told), mark)


def summary(elapsed_ns: int) -> str:
    """`X-ClickHouse-Summary`.  How many rows were read is not said: those of other projects would be among them."""
    zeros = ("read_rows", "read_bytes", "written_rows", "written_bytes", "total_rows_to_read", "result_rows")
    return json.dumps({**dict.fromkeys(zeros, "0"), "result_bytes": "0", "elapsed_ns": str(elapsed_ns)})
