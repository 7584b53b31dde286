"""Reads recorded HTTP exchanges: vcrpy and Ruby VCR (YAML), HAR, dd-apm-test-agent and Google's test server (JSON).

`$LLM_RECORDINGS/index.jsonl` has a line per exchange (`file`, `i`, `endpoint`, `streaming`, `status`, `truth`, …); the
exchange itself is number `i` of that file.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import brotli
import yaml
import zstandard

from benchmarks.recordings.exchange import Exchange


class _Loader(yaml.CSafeLoader):
    """YAML as Python's and Ruby's recorders write it."""


_Loader.add_constructor("!binary", lambda _loader, node: base64.b64decode(node.value))
for _tag in ("object/apply", "object/new"):
    _Loader.add_multi_constructor(  # a header name that knows it is case-insensitive
        f"tag:yaml.org,2002:python/{_tag}:multidict",
        lambda loader, _suffix, node: (
            loader.construct_sequence(node)[0] if isinstance(node, yaml.SequenceNode) else str(node.value)
        ),
    )


def exchange(root: Path, row: dict[str, Any]) -> Exchange:
    """The exchange that a line of the index names."""
    found: Exchange = _file(root / row["file"])[row["i"]]
    return found


@lru_cache(maxsize=64)
def _file(path: Path) -> list[Exchange]:
    raw = path.read_bytes()
    document = yaml.load(raw, _Loader) if path.suffix in (".yaml", ".yml") else json.loads(raw)  # noqa: S506
    if "log" in document:
        return [_har(entry) for entry in document["log"]["entries"]]
    if "recordID" in document:
        return [_google(pair["request"], pair["response"]) for pair in document["interactions"]]
    pairs = document.get("interactions") or document.get("http_interactions") or [document]
    return [_vcr(pair["request"], pair["response"]) for pair in pairs]


def _vcr(request: dict[str, Any], response: dict[str, Any]) -> Exchange:
    status = response.get("status", response.get("status_code"))
    headers = _headers(response.get("headers"))
    stored = response["parsed_body"] if "parsed_body" in response else response.get("body", response.get("content"))
    sent = request.get("parsed_body") if request.get("parsed_body") is not None else request.get("body")
    return Exchange(
        request.get("method", "POST").upper(),
        request.get("uri") or request.get("url") or "",
        _headers(request.get("headers")),
        _object(_bytes(sent)),
        int(status["code"] if isinstance(status, dict) else status or 0),
        headers,
        _decoded(_bytes(stored), headers.get("content-encoding", "")),
    )


def _har(entry: dict[str, Any]) -> Exchange:
    request, response = entry["request"], entry["response"]
    headers = _headers(response.get("headers"))
    content = response.get("content", {})
    text = content.get("text") or ""
    body = text.encode()
    if text.startswith('["') and (headers.get("content-encoding") or content.get("encoding") == "base64"):
        pieces = json.loads(text)  # the chunks of a compressed body, each in hex or base64
        undo = bytes.fromhex if re.fullmatch("[0-9a-f]+", pieces[0]) else base64.b64decode
        body = b"".join(undo(piece) for piece in pieces)
    elif content.get("encoding") == "base64":
        body = base64.b64decode(text)
    return Exchange(
        request["method"].upper(),
        request["url"],
        _headers(request.get("headers")),
        _object((request.get("postData") or {}).get("text", "").encode()),
        int(response["status"]),
        headers,
        _decoded(body, headers.get("content-encoding", "")),
    )


def _google(request: dict[str, Any], response: dict[str, Any]) -> Exchange:
    """The test server keeps parsed bodies: the events of a stream, or a list of one."""
    headers = {k: v for k, v in _headers(response.get("headers")).items() if k != "content-encoding"}
    parts = [_bytes(part) for part in response.get("bodySegments") or []]
    if "event-stream" in headers.get("content-type", ""):
        parts = [b"data: " + part + b"\r\n\r\n" for part in parts]
    sent = request.get("bodySegments") or [{}]
    return Exchange(
        request["method"].upper(),
        f"https://{request.get('serverAddress', '')}{request['url']}",
        _headers(request.get("headers")),
        _object(_bytes(sent[0])),
        int(response["statusCode"]),
        headers,
        b"".join(parts),
    )


def _headers(said: Any) -> dict[str, str]:
    pairs = [(h["name"], h["value"]) if isinstance(h, dict) else h for h in said] if isinstance(said, list) else None
    named = dict(pairs) if pairs is not None else said or {}
    first = {str(k).lower(): v[0] if isinstance(v, (list, tuple)) and v else v for k, v in named.items()}
    return {k: v.decode("latin-1") if isinstance(v, bytes) else str(v) for k, v in first.items()}


def _bytes(stored: Any) -> bytes:
    match stored:
        case None:
            return b""
        case bytes():
            return stored
        case {"base64_string": str(text)} | {"base64": str(text)}:
            return base64.b64decode(text)
        case {"encoding": "base64", "string": str(text)}:
            return base64.b64decode(text)
        case {"string": inner} | {"encoding": _, "content": inner}:
            return _bytes(inner)
        case dict() | list():
            return json.dumps(stored, ensure_ascii=False).encode()
        case _:
            return str(stored).encode("utf-8", "surrogateescape")


def _decoded(body: bytes, encoding: str) -> bytes:
    """Some recorders keep the encoding's name over bytes that they have decoded already."""
    try:
        if body[:2] == b"\x1f\x8b":
            return gzip.decompress(body)
        if body[:4] == b"\x28\xb5\x2f\xfd":
            return zstandard.ZstdDecompressor().stream_reader(body).read()
        if encoding == "br" and body[:1] not in b"{[de:\n\r ":
            return bytes(brotli.decompress(body))
        if encoding == "deflate" and body[:1] == b"x":
            return zlib.decompress(body)
    except (OSError, zlib.error, brotli.error, zstandard.ZstdError):
        return body
    return body


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
