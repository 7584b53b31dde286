"""Whom a call is for: tags from the code, from W3C baggage, and (on the resource, at the collector) the environment."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar, Token
from functools import wraps
from typing import Any, Final, TypeVar

from opentelemetry import baggage

from .quiet import quietly
from .read import valid
from .record import Tags

_NO_TAGS: Final = Tags()
_TAGS: Final[ContextVar[Tags]] = ContextVar("otel_llm_cost_tags", default=_NO_TAGS)
_BAGGAGE: Final = {
    "llm_cost.project": "project",
    "llm_cost.feature": "feature",
    "user.id": "user",
    "session.id": "session",
}
_CALL_TAGS: Final = frozenset({"project", "feature", "user", "session"})
_Function = TypeVar("_Function", bound=Callable[..., Any])


def current_tags() -> Tags:
    """The tags in force here; what the code says wins over what baggage brought from another service."""
    tags = _TAGS.get()
    for name, value in baggage.get_all().items():
        field = _BAGGAGE.get(name)
        if field is not None and isinstance(value, str) and getattr(tags, field) is None:
            tags = tags._replace(**{field: value})  # type: ignore[arg-type]  # the four fields are texts
    return tags


def tags_of_call(tags: Tags, headers: Mapping[str, str], body: Mapping[str, Any]) -> Tags:
    """The tags of one call: what the call itself says wins over what is in force around it.

    A call says them in its own headers (`extra_headers={"x-llm-cost-feature": …, "x-llm-cost-tag-tenant": …}`), in the
    `metadata` of its body (`{"llm_cost.feature": …, "llm_cost.tag.tenant": …}`), or in Gemini's `labels`, which allow
    no dot (`llm_cost_feature`).
    """
    said: dict[str, str] = {}
    for field in ("metadata", "labels"):
        if isinstance(given := body.get(field), Mapping):
            said |= _own(given, ("llm_cost.", "llm_cost_"))
    if headers:
        said |= _own(headers, ("x-llm-cost-",))
    if not said:
        return tags
    known = {field: said.pop(field) for field in _CALL_TAGS & said.keys()}
    extra = {name[4:]: value for name, value in said.items() if name[:4] in ("tag.", "tag_", "tag-") and name[4:]}
    return tags._replace(**known, extra=tuple(sorted({**dict(tags.extra), **extra}.items())))


def _own(given: Mapping[str, Any], prefixes: tuple[str, ...]) -> dict[str, str]:
    """What stands under one of our prefixes, without it."""
    found = {}
    for name, value in given.items():
        if isinstance(name, str) and isinstance(value, str):
            lower = name.lower()
            prefix = next((p for p in prefixes if lower.startswith(p)), None)
            if prefix:
                found[valid(lower[len(prefix) :])] = valid(value)
    return found


def _written(value: Any) -> str:
    """A tag's value as a text, whatever it is; empty if it cannot be written."""
    with quietly("read a tag"):
        return valid(str(value))
    return ""  # quietly() has swallowed a fault


class tags:  # noqa: N801  # reads as a word of the language: `with tags(…):`
    """Tag every call made inside the block, also in tasks started there; or every call of a decorated function.

    >>> with tags(feature="support-chat", user="u-17", tenant="acme"):
    ...     pass
    >>> @tags(feature="search")
    ... async def search(question: str) -> None: ...
    """

    def __init__(
        self,
        *,
        project: str | None = None,
        feature: str | None = None,
        user: str | None = None,
        session: str | None = None,
        **extra: str,
    ) -> None:
        given = {"project": project, "feature": feature, "user": user, "session": session}
        self._given = {name: _written(value) for name, value in given.items() if value is not None}
        self._extra = {name: _written(value) for name, value in extra.items()}
        self._tokens: list[Token[Tags]] = []

    def __enter__(self) -> None:
        outer = _TAGS.get()
        merged = outer._replace(**self._given, extra=tuple(sorted({**dict(outer.extra), **self._extra}.items())))
        self._tokens.append(_TAGS.set(merged))

    def __exit__(self, *_: object) -> None:
        with suppress(ValueError):  # a generator may be closed in another context than it was begun in
            _TAGS.reset(self._tokens.pop())

    def __call__(self, function: _Function) -> _Function:
        """Decorate a function or a coroutine function; TypeError for a generator, whose steps run at its reader's."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError("tags() cannot decorate a generator: put `with tags(…)` around the loop that reads it")

        @wraps(function)
        def tagged(*args: Any, **kwargs: Any) -> Any:
            with self._again():
                return function(*args, **kwargs)

        @wraps(function)
        async def tagged_coroutine(*args: Any, **kwargs: Any) -> Any:
            with self._again():
                return await function(*args, **kwargs)

        chosen: Any = tagged_coroutine if inspect.iscoroutinefunction(function) else tagged
        return chosen  # type: ignore[no-any-return]  # the same signature

    def _again(self) -> tags:
        """A fresh one, for a decorated function may run in many threads and tasks at once."""
        fresh = tags(**self._extra)
        fresh._given = self._given
        return fresh
