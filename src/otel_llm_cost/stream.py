"""The life of a streamed answer, however it is delivered: as bytes of HTTP or as parsed chunks.

What carries it tells when the caller waits and when not, hands over what passes, and says how it ended; here it is
decided what that end means.  `completed`: the provider said that it was done.  `cancelled`: the caller stopped, by
closing, by cancelling its task, by leaving its loop.  `broken`: the provider or the connection failed.  `abandoned`:
the stream was collected, or the program ended, before anybody closed it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

from . import reaper
from .call import OpenCall
from .content import Said
from .errors import of_exception
from .provider import Provider
from .quiet import quietly
from .record import Error, Outcome


class Reading:
    """Reads along with the caller.  When it is collected before the end, its call ends as abandoned."""

    __slots__ = ("_call", "_closed_elsewhere", "_done", "_malformed", "_provider", "_reader", "_status", "_waiting")

    def __init__(self, call: OpenCall, provider: Provider, read: Callable[[list[Any]], Iterable[Said]], *, status: int):
        """`read` tells what the model said in raw pieces of the stream; it must not refer to the reading."""
        self._call = call
        self._provider = provider
        self._status = status
        self._waiting = False  # for the next piece; otherwise the caller has the word
        self._reader = 0  # the thread that began to read
        self._done = False  # the provider said so
        self._malformed = False
        self._closed_elsewhere = False
        with quietly("watch a stream"):  # without a thread, say, it must still leave out what was not asked for
            call.streams(read)
            reaper.watch(call)

    def __del__(self) -> None:
        call = getattr(self, "_call", None)
        if call is not None:
            with quietly("end a stream"):
                call.close_later("abandoned")

    # -- the caller reads

    def __enter__(self) -> None:
        self._reader = threading.get_ident()
        self._waiting = True

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._waiting = False
        if exc is not None:
            with quietly("end a stream"):
                self._interrupted(exc)

    def _event(self, said: Any) -> None:
        """One parsed event."""
        self._call.observe(self._provider.chunk(said, self._call.request))

    # -- how it ends

    def closing(self) -> None:
        """The stream is being closed: at the end of its body, by the SDK after the last event, or by the caller.

        A caller may do so while it handles an exception of its own, which is no fault of the stream; only a generator
        that is being closed or collected counts.
        """
        if self._waiting:
            # the end of the body, which the reader is about to see; or another thread, and the one that reads will get
            # an error for it
            self._closed_elsewhere |= self._reader != threading.get_ident()
            return
        collected = isinstance(sys.exc_info()[1], GeneratorExit)
        with quietly("end a stream"):
            self._interrupted(GeneratorExit() if collected else None)

    def _finished(self) -> bool:
        response, choices = self._call.response, self._call.request.choice_count or 1
        return response.error is None and (self._done or len(response.finish_reasons or ()) >= choices)

    def _fault(self) -> Error | None:
        """The failure that the stream itself told, under the HTTP status that it came with."""
        if self._malformed:
            return Error(type="JSONDecodeError")
        told = self._call.response.error
        return told._replace(status_code=self._status) if told is not None else None

    def _ended(self) -> None:
        """The stream came to its end."""
        with quietly("end a stream"):
            self._end("completed" if self._finished() else "broken", self._fault())

    def _interrupted(self, exc: BaseException | None) -> None:
        """The answer ended before its body did: an SDK stops at the last event, a caller wherever it likes."""
        outcome: Outcome
        error = None
        stopped = exc is None or isinstance(exc, GeneratorExit)
        if self._done or (stopped and self._finished()):
            outcome = "completed"
        elif exc is None or isinstance(exc, GeneratorExit):
            error = self._fault()
            outcome = "broken" if error else ("cancelled" if exc is None else "abandoned")
        else:
            error = self._raised(exc)
            cancelled = error.error_class == "cancelled" or self._closed_elsewhere
            outcome = "cancelled" if cancelled else "broken"
        self._end(outcome, error, later=isinstance(exc, GeneratorExit))

    def _raised(self, exc: BaseException) -> Error:
        """Why reading failed."""
        return of_exception(exc)

    def _end(self, outcome: Outcome | None, error: Error | None, *, later: bool = False) -> None:
        """A generator that is closed may be so by the garbage collector: its call ends elsewhere, see the reaper."""
        end = self._call.close_later if later else self._call.close
        end(outcome, error)
