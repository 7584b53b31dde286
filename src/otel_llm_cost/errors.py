"""One taxonomy of failures for every vendor: what a status, a code or an exception's name says about a call."""

from __future__ import annotations

from .record import Error, ErrorClass

_BY_STATUS: dict[int, ErrorClass] = {
    401: "auth",
    402: "quota",
    403: "auth",
    404: "not_found",
    408: "timeout",
    409: "server",
    429: "rate_limit",
    499: "cancelled",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}

# looked for in order, in the provider's code and then in the exception's name, both in lower case
_BY_WORD: tuple[tuple[str, ErrorClass], ...] = (
    ("quota", "quota"),
    ("billing", "quota"),
    ("insufficient_balance", "quota"),
    ("content_filter", "content_filter"),
    ("contentfilter", "content_filter"),
    ("content_policy", "content_filter"),
    ("rate_limit", "rate_limit"),
    ("ratelimit", "rate_limit"),
    ("overloaded", "overloaded"),
    ("timeout", "timeout"),
    ("cancel", "cancelled"),
    ("generatorexit", "cancelled"),
    ("keyboardinterrupt", "cancelled"),
    ("model_not_found", "not_found"),
    ("not_found", "not_found"),
    ("invalid_api_key", "auth"),
    ("authentication", "auth"),
    ("permission", "auth"),
    ("server_error", "server"),
    ("invalid", "bad_request"),
    ("context_length", "bad_request"),
    ("connect", "connection"),
    ("protocolerror", "connection"),
    ("readerror", "connection"),
    ("writeerror", "connection"),
)


def classify(status: int | None = None, code: str = "", exception: str = "") -> ErrorClass:
    """The class of a failure: a provider's code knows more than its HTTP status, and that more than a name.

    >>> classify(429, "insufficient_quota")
    'quota'
    """
    by_code = _by_word(code)
    if by_code is not None:
        return by_code
    if status is not None and status >= 400:
        return _BY_STATUS.get(status) or ("server" if status >= 500 else "bad_request")
    return _by_word(exception) or "unknown"


def of_exception(exception: BaseException) -> Error:
    """A failure of which nothing is known but the exception's name."""
    name = type(exception).__name__
    return Error(type=name, error_class=classify(exception=name))


def _by_word(text: str) -> ErrorClass | None:
    lowered = text.lower()
    return next((cls for word, cls in _BY_WORD if word in lowered), None) if lowered else None
