"""The results of a message batch: JSON lines, in no order."""

from __future__ import annotations

import re
from typing import Any, Final

from otel_llm_cost.provider import Result, Wire
from otel_llm_cost.read import text, view, within
from otel_llm_cost.record import Error, Request, Response

from .answers import response
from .endpoints import vendor
from .failures import failure

_RESULTS: Final = re.compile(r"(?:^|/)messages/batches/[^/]+/results/?$")
_UNDONE: Final = {
    "canceled": Error(type="canceled", error_class="cancelled"),
    "expired": Error(type="expired", error_class="timeout"),
}


def download(wire: Wire, provider: str | None = None) -> Request | None:
    """The results of a batch."""
    if wire.method != "GET" or not _RESULTS.search(wire.path):
        return None
    return Request(
        operation="chat",
        provider=provider or vendor(wire),
        server_address=wire.host,
        server_port=wire.port,
        batch=True,
    )


def results(document: Any, request: Request) -> list[Result]:
    """One line: `{"custom_id": …, "result": {"type": "succeeded", "message": {…}}}`, or why there is no message."""
    result = within(view(document), "result")
    kind = text(result, "type") or ""
    if kind == "succeeded":
        message = within(result, "message")
        return [Result(request._replace(model=text(message, "model")), response(message, request))]
    if kind == "errored":
        failed = within(result, "error")
        return [Result(request, Response(error=failure(within(failed, "error") or failed)))]
    return [Result(request, Response(error=_UNDONE[kind]))] if kind in _UNDONE else []
