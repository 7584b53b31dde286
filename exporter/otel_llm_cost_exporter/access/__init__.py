"""Who may write, for which project and how much: API keys in a file, checked by a gate that both receivers share.

`keys` is the value, `files` its place on disk, `ring` the keys of a running collector, `rates` the token buckets, and
`gate` the one question that a receiver asks.
"""

from .files import KeysError, keys_file
from .gate import Gate, Refused, Visitor
from .keys import Key
from .ring import KeyRing, Reader, Rejected

__all__ = ["Gate", "Key", "KeyRing", "KeysError", "Reader", "Refused", "Rejected", "Visitor", "keys_file"]
