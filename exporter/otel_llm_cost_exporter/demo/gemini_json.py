"""Google's APIs take a field's name as `maxOutputTokens` and as `max_output_tokens`, and the SDK mixes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_UNDERSCORE: Final = re.compile(r"_([a-z])")
_SCHEMAS: Final = frozenset({"args", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema"})
"""Fields whose content has names of the caller's own."""


def one_spelling(value: Any) -> Any:
    """The same with every field's name in camel case."""
    if isinstance(value, list):
        return [one_spelling(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    named = {_UNDERSCORE.sub(lambda found: found[1].upper(), str(name)): item for name, item in value.items()}
    return {name: item if name in _SCHEMAS else one_spelling(item) for name, item in named.items()}
