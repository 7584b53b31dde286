"""An append-only, crash-safe journal of export requests: what is acknowledged is here until it is stored.

A folder of segments.  `record` is one entry as bytes, `segment` a file of them.  `intake` takes entries, of which
`digests` know those that were sent before and `limits` when there is no more room; `groups` gathers them, `appender`
writes a group.  `shelf` reads; `head` says how much is stored, and `retirement` lets go of it.  `recovery` and `damage`
make whole what a crash or a bad disk leaves.
"""

from .folder import JournalError, JournalHeld
from .journal import PHASES, Journal
from .segment import Position
from .shelf import Read
from .state import JournalState
from .tally import Tally

__all__ = ["PHASES", "Journal", "JournalError", "JournalHeld", "JournalState", "Position", "Read", "Tally"]
