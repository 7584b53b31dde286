"""Rows as blocks of ClickHouse's Native format, and exact money in them without the cost of Decimal objects.

The driver writes a Decimal column from Decimal objects by way of text, about 1 µs a value.  Our money is integers
of the column's own unit already (a Decimal(18, 12) of dollars is an integer of pico-dollars), so such a column is
written straight from integers.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Any

from clickhouse_connect.datatypes.base import ClickHouseType
from clickhouse_connect.datatypes.numeric import Decimal
from clickhouse_connect.driver.common import write_leb128
from clickhouse_connect.driver.insert import InsertContext

_WIDTHS = {4: "i", 8: "q"}


class ScaledDecimal(Decimal, registered=False):
    """A Decimal column of up to 18 digits whose values come as integers of 10^-scale; None is NULL."""

    def _write_column_binary(self, column: Sequence[Any], dest: bytearray, ctx: InsertContext) -> None:
        del ctx
        dest += array(_WIDTHS[self.byte_size], [value or 0 for value in column]).tobytes()


def scaled(column_type: ClickHouseType) -> ClickHouseType:
    """The type to write a column with: the column's own, or for a small Decimal its integer form."""
    if not isinstance(column_type, Decimal) or column_type.byte_size not in _WIDTHS:
        return column_type
    return ScaledDecimal(column_type.type_def, column_type.prec, column_type.byte_size * 8, column_type.scale)


def block(types: Mapping[str, ClickHouseType], columns: Sequence[Sequence[Any]]) -> bytes:
    """The columns as one block of ClickHouse's Native format: an insert of it is one insert, whatever its size.

    Numbers of columns and rows, then for each column its name, its type and its values as the driver writes them.
    Raises what the driver raises of a value that does not fit its column.
    """
    context = InsertContext("", list(types), list(types.values()))  # with data in it, it imports pandas: a second
    content = bytearray()
    write_leb128(len(types), content)
    write_leb128(len(columns[0]), content)
    for (name, kind), column in zip(types.items(), columns, strict=True):
        for text in (name.encode(), kind.insert_name.encode()):
            write_leb128(len(text), content)
            content += text
        context.start_column(name)
        kind.write_column(column, content, context)
    return bytes(content)
