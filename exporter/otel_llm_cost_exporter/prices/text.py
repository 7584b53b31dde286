"""YAML or JSON text → plain objects, and on which line each of them stands.

Both languages go through PyYAML's composer, which keeps positions, and stop there: its constructor would make a float
of a price.  A fraction stays the text that it was written as, so that 2.50 and "2.50" are the same exact price; a
date stays text, too.  An anchor's alias is refused, not followed: a page of aliases can stand for gigabytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import yaml

from otel_llm_cost.pricing.overlay_reader import Path

_WHOLE: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\Z")
_TAG: Final = "tag:yaml.org,2002:"
_FLAGS: Final = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class Mark(NamedTuple):
    """A position, both counted from 1 as editors do."""

    line: int
    column: int


class Fault(NamedTuple):
    """Something wrong with a text."""

    mark: Mark
    message: str


@dataclass(frozen=True, slots=True)
class Document:
    """What a text says, where each value and each key stands, and what was wrong with the text itself."""

    raw: object = None
    values: dict[Path, Mark] = field(default_factory=dict)
    keys: dict[Path, Mark] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def mark(self, path: Path, at_key: bool = False) -> Mark:
        """Where a path is, or what is left of it: a field that is missing is missing from somewhere."""
        if at_key and path in self.keys:
            return self.keys[path]
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, Mark(1, 1))


def parse(text: str, *, json: bool = False) -> Document:
    """The text of a file; `json` allows what YAML forbids and JSON does not, tabs between things."""
    document = Document()
    try:
        node = yaml.compose(text.replace("\t", " ") if json else text, Loader=yaml.SafeLoader)
        raw = None if node is None else _plain(node, (), document, set())
    except (yaml.YAMLError, RecursionError) as error:
        return Document(faults=[_unreadable(error, text)])
    return Document(raw, document.values, document.keys, document.faults)


def _unreadable(error: Exception, text: str) -> Fault:
    """The text is not of the language at all."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        return Fault(Mark(mark.line + 1, mark.column + 1), f"not readable: {getattr(error, 'problem', None) or error}")
    if isinstance(error, yaml.reader.ReaderError) and isinstance(error.position, int):
        before = text[: error.position]
        where = Mark(before.count("\n") + 1, error.position - before.rfind("\n"))
        return Fault(where, "a character that is not allowed in YAML")
    return Fault(Mark(1, 1), "nested too deeply" if isinstance(error, RecursionError) else f"not readable: {error}")


def _mark(node: yaml.Node) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)


def _plain(node: yaml.Node, path: Path, document: Document, seen: set[int]) -> Any:
    """A node as plain objects; every position on the way is written down."""
    document.values[path] = _mark(node)
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    if id(node) in seen:
        document.faults.append(Fault(_mark(node), "an anchor is used again here, which is not understood: repeat it"))
        return None
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*path, i), document, seen) for i, item in enumerate(node.value)]
    return {key: _plain(value, (*path, key), document, seen) for key, value in _members(node, path, document)}


def _members(node: Any, path: Path, document: Document) -> Iterator[tuple[str, yaml.Node]]:
    """Keys and values of a mapping; the first of two of one name."""
    first: dict[str, Mark] = {}
    for key, value in node.value:
        where = _mark(key)
        if not isinstance(key, yaml.ScalarNode):
            document.faults.append(Fault(where, "expected a name before the colon"))
        elif key.value in first:
            fault = f"{key.value!r} stands twice here, first on line {first[key.value].line}: keep one"
            document.faults.append(Fault(where, fault))
        else:
            first[key.value] = document.keys[(*path, key.value)] = where
            yield key.value, value


def _scalar(node: yaml.ScalarNode) -> str | int | bool | None:
    """Text, but for true, false, null and plain whole numbers."""
    kind, text = node.tag.removeprefix(_TAG), str(node.value)
    if kind == "null":
        return None
    if kind == "bool":
        return _FLAGS.get(text.lower())
    if kind == "int" and _WHOLE.match(text):
        return int(text)
    # JSON escapes what is beyond 16 bits as two halves
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
