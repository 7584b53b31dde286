"""Whom a call is for: tags from the code, from W3C baggage, and (on the resource, at the collector) the environment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from opentelemetry import baggage
from opentelemetry import context as otel_context

from .record import Tags

_TAGS: Final = otel_context.create_key("otel_llm_cost_tags")
_NO_TAGS: Final = Tags()
_BAGGAGE: Final = {
    "llm_cost.project": "project",
    "llm_cost.feature": "feature",
    "user.id": "user",
    "session.id": "session",
}


def current_tags() -> Tags:
    """The tags in force here; what the code says wins over what baggage brought from another service."""
    said = otel_context.get_value(_TAGS)
    tags = said if isinstance(said, Tags) else _NO_TAGS
    for name, value in baggage.get_all().items():
        field = _BAGGAGE.get(name)
        if field is not None and isinstance(value, str) and getattr(tags, field) is None:
            tags = tags._replace(**{field: value})  # type: ignore[arg-type]  # the four fields are texts
    return tags


@contextmanager
def tags(
    *,
    project: str | None = None,
    feature: str | None = None,
    user: str | None = None,
    session: str | None = None,
    **extra: str,
) -> Iterator[None]:
    """Tag every call made inside the block, also in tasks started there; also usable as a decorator.

    >>> with tags(feature="support-chat", user="u-17", tenant="acme"):
    ...     pass
    """
    outer = otel_context.get_value(_TAGS)
    base = outer if isinstance(outer, Tags) else _NO_TAGS
    given = {"project": project, "feature": feature, "user": user, "session": session}
    merged = base._replace(
        **{name: value for name, value in given.items() if value is not None},
        extra=tuple(sorted({**dict(base.extra), **extra}.items())),
    )
    token = otel_context.attach(otel_context.set_value(_TAGS, merged))
    try:
        yield
    finally:
        otel_context.detach(token)
