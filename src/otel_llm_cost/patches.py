"""Wraps names of modules that are imported later, and puts them back.

Patches wait for an SDK to be imported by the program itself, so that a program that never does pays nothing.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import wrapt

log = logging.getLogger(__name__)

Wrapper = Callable[[Any, Any, tuple[Any, ...], dict[str, Any]], Any]


class Patches:
    """Wraps attributes of modules once these are imported, and puts the originals back."""

    _waiting: ClassVar[dict[str, list[Callable[[Any], None]]]] = {}
    """Module → what to do when it is imported; one import hook per module, however often we are switched on."""

    def __init__(self) -> None:
        self._done: list[tuple[Any, str, Any, Any]] = []
        self._active = True

    def add(self, module: str, owner: str, name: str, wrapper: Wrapper, *, optional: bool = False) -> None:
        """Wrap `module.owner.name` (a function of the module where `owner` is empty) now, or when it is imported.

        What is not there is named in the log, unless it is `optional`: some versions have it and some do not.
        """

        def patch(loaded: Any) -> None:
            if not self._active:
                return
            target = getattr(loaded, owner, None) if owner else loaded
            original = vars(target).get(name) if target is not None else None
            if target is None or original is None:
                if not optional:
                    log.warning("%s.%s.%s is not there in this version: its calls go unseen", module, owner, name)
                return
            self._wrap(target, name, wrapper)
            for kind in _subclasses(target) if owner else ():
                # another instrumentation may have put a wrapper of the bare method on a subclass, above ours
                own = vars(kind).get(name)
                if own is not None and _innermost(own) is original and own is not original:
                    self._wrap(kind, name, wrapper)

        if module in sys.modules:
            patch(sys.modules[module])
            return
        if module not in self._waiting:
            self._waiting[module] = []
            wrapt.register_post_import_hook(lambda loaded: _run(self._waiting.pop(module), loaded), module)
        self._waiting[module].append(patch)

    def _wrap(self, target: Any, name: str, wrapper: Wrapper) -> None:
        original = vars(target)[name]
        wrapped = wrapt.FunctionWrapper(original, self._while_active(wrapper))
        setattr(target, name, wrapped)
        self._done.append((target, name, original, wrapped))

    def _while_active(self, wrapper: Wrapper) -> Wrapper:
        """Others may keep a reference to what we wrapped; it falls silent when we are switched off."""

        def active(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            return wrapper(wrapped, instance, args, kwargs) if self._active else wrapped(*args, **kwargs)

        return active

    def undo(self) -> None:
        """Restore every original that nobody has wrapped since."""
        self._active = False
        while self._done:
            target, name, original, wrapped = self._done.pop()
            if vars(target).get(name) is wrapped:
                setattr(target, name, original)


class Shared:
    """Patches that several instrumentations need: there as long as one of them is on."""

    def __init__(self, apply: Callable[[Patches], None]) -> None:
        self._apply = apply
        self._holders = 0
        self._patches: Patches | None = None

    def hold(self) -> None:
        """One more needs them."""
        self._holders += 1
        if self._patches is None:
            self._patches = Patches()
            self._apply(self._patches)

    def release(self) -> None:
        """One fewer does."""
        self._holders -= 1
        if self._holders == 0 and self._patches is not None:
            self._patches.undo()
            self._patches = None


def _run(patches: list[Callable[[Any], None]], loaded: Any) -> None:
    for patch in patches:
        patch(loaded)


def _subclasses(kind: type) -> Iterator[type]:
    child: type
    for child in kind.__subclasses__():
        yield child
        yield from _subclasses(child)


def _innermost(function: Any) -> Any:
    while (inner := getattr(function, "__wrapped__", None)) is not None:
        function = inner
    return function
