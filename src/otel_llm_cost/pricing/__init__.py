"""What a call cost: dated rate cards, exclusive buckets, exact money, and a reason where there is no price.

    book = PriceBook.vendored()
    cost = book.price("openai", "gpt-4o", usage, date(2026, 11, 1))
    cost.total     # integer pico-dollars, or None with cost.reason

Names lead to a model (names, catalogue), a model and a day and a context lead to a rate card (layers, card), a
usage leads to quantities (buckets), and the two meet in `PriceBook.price` (book).
"""

from .bill import Priced, Unpriced
from .book import PriceBook
from .cost import Context, Cost, Line, Status
from .overlay import Overlay

__all__ = ["Context", "Cost", "Line", "Overlay", "PriceBook", "Priced", "Status", "Unpriced"]
