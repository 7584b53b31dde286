"""What a client asks, read from an HTTP request as ClickHouse's HTTP interface takes it.

The statement stands in the URL, in the body, or begins in the one and goes on in the other; parameters of the statement
(`param_x`) and settings stand in the URL or in a form.  https://clickhouse.com/docs/interfaces/http
"""

from __future__ import annotations

import base64
import binascii
import re
import sys
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from typing import Any, Final
from urllib.parse import parse_qsl

from .answer import BAD_ARGUMENTS, NOT_SUPPORTED, SYNTAX_ERROR, TOO_LARGE, Refusal

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_OF_TRANSPORT: Final = frozenset(
    {"query", "database", "default_format", "user", "password", "query_id", "client_protocol_version"}
)
# what the engine can pack an answer with, dearest to us first; names of HTTP and of INTO OUTFILE are the same
_PACKINGS: Final = ("zstd", "lz4", "br", "gzip", "deflate")
_FORM: Final = re.compile(r"\w{1,100}")
_DECOMPRESSORS: Final[Mapping[str, Callable[[], Any]]] = {
    "gzip": lambda: zlib.decompressobj(wbits=31),
    "deflate": lambda: zlib.decompressobj(wbits=15),
    "zstd": zstd.ZstdDecompressor,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request: the statement, what stands in it for values, the settings it wants, and how the answer is to look.

    `revision` is the protocol version of a native client, 0 where it is none; `form` the format unless the statement
    names one; `packing` how the answer may be compressed, empty for not.
    """

    sql: str
    parameters: Mapping[str, str]
    settings: tuple[tuple[str, str], ...]
    database: str = ""
    form: str = "TabSeparated"
    revision: int = 0
    packing: str = ""
    query_id: str = ""


def question(url_query: str, headers: Mapping[str, str], body: bytes, most: int) -> Question:
    """The question in a request whose body has at most `most` bytes unpacked; Refusal of what is not spoken here."""
    asked = dict(parse_qsl(url_query, keep_blank_values=True))
    body = _unpacked(body, headers.get("content-encoding", ""), most)
    content_type = headers.get("content-type", "")
    if content_type.startswith("multipart/form-data"):
        asked |= _form(content_type, body)
        body = b""
    for name in ("compress", "decompress"):
        if asked.get(name) == "1":
            raise Refusal(
                NOT_SUPPORTED,
                f"compression of native blocks ({name}=1) is not spoken here: use that of HTTP (gzip, zstd), or none.",
            )
    try:
        sql = "\n".join(filter(None, (asked.get("query", ""), body.decode())))
    except UnicodeDecodeError:
        raise Refusal(SYNTAX_ERROR, "the statement is no UTF-8.") from None
    form = asked.get("default_format") or headers.get("x-clickhouse-format") or "TabSeparated"
    if not _FORM.fullmatch(form):
        raise Refusal(BAD_ARGUMENTS, "default_format is no name of a format.")
    return Question(
        sql=sql,
        parameters={name.removeprefix("param_"): value for name, value in asked.items() if name.startswith("param_")},
        settings=tuple((n, v) for n, v in asked.items() if n not in _OF_TRANSPORT and not n.startswith("param_")),
        database=asked.get("database") or headers.get("x-clickhouse-database", ""),
        form=form,
        revision=_number(asked.get("client_protocol_version", "0")),
        packing=_packing(headers.get("accept-encoding", "")) if asked.get("enable_http_compression") != "0" else "",
        query_id=asked.get("query_id", ""),
    )


def credentials(url_query: str, headers: Mapping[str, str]) -> tuple[str, str]:
    """User and password, in whichever of its five places a client put them; empty where there are none.

    Refusal where they cannot be read.
    """
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(given, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise Refusal(BAD_ARGUMENTS, "the header Authorization cannot be read.") from None
        return user, password
    if scheme.lower() == "bearer":
        return "", given
    asked = dict(parse_qsl(url_query, keep_blank_values=True))
    user = headers.get("x-clickhouse-user") or asked.get("user", "")
    return user, headers.get("x-clickhouse-key") or asked.get("password", "")


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _packing(accepted: str) -> str:
    refused = {one.partition(";")[0].strip() for one in accepted.split(",") if re.search(r";\s*q=0(\.0*)?\s*$", one)}
    offered = {one.partition(";")[0].strip() for one in accepted.split(",")} - refused
    return next((one for one in _PACKINGS if one in offered), "")


def _unpacked(body: bytes, encoding: str, most: int) -> bytes:
    if encoding in ("", "identity") or not body:
        return body
    if encoding not in _DECOMPRESSORS:
        raise Refusal(
            NOT_SUPPORTED, f"Content-Encoding {encoding[:20]!r} is not spoken here: send gzip, zstd, deflate or none."
        )
    try:
        plain: bytes = _DECOMPRESSORS[encoding]().decompress(body, most + 1)
    except (zlib.error, zstd.ZstdError, EOFError):
        raise Refusal(BAD_ARGUMENTS, f"the body is no {encoding}.") from None
    if len(plain) > most:
        raise Refusal(TOO_LARGE, f"a statement may have {most} bytes.")
    return plain


def _form(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a form.  Files in it would be tables of the client's own, which a read-only engine cannot take."""
    parts = BytesParser().parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body).get_payload()
    fields: dict[str, str] = {}
    for part in parts if isinstance(parts, list) else []:
        if not isinstance(part, Message) or part.get_filename() is not None:
            raise Refusal(
                NOT_SUPPORTED, "external data is not taken here: put the values into the statement or a parameter."
            )
        name = part.get_param("name", header="content-disposition")
        value = part.get_payload(decode=True)
        fields[str(name)] = value.decode(errors="replace") if isinstance(value, bytes) else ""
    return fields
