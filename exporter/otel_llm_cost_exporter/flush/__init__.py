"""From the journal into the store: each acknowledged call once."""

from .dead_letters import DeadLetter, DeadLetters, DeadLettersFull
from .flusher import Flusher
from .patience import FlushState
from .road import PHASES, Batch

__all__ = ["PHASES", "Batch", "DeadLetter", "DeadLetters", "DeadLettersFull", "FlushState", "Flusher"]
