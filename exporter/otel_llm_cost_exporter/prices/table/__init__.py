"""The price book as tables, so that SQL alone can price a call.

    load(store, load_book())

SQL reads no names and layers no prices: all of that happens here, by asking the book.  A name leads to a *sheet*
(`llm_price_names`), a sheet and the context of a call lead to a card (`llm_price_cards`), and a card has a rate for
every bucket that can be billed at all (`llm_prices`), with every fallback from one bucket to another filled in.  All
three are by days.  What the book would answer tomorrow for the same question is therefore in the tables today.
"""

from .compile import Compiled, compile_book
from .load import Loaded, load

__all__ = ["Compiled", "Loaded", "compile_book", "load"]
