-- Which span is below which, as far as calls tell.
SELECT trace, lower(hex(span_id)) AS span, lower(hex(parent_span_id)) AS parent
FROM calls
WHERE parent_span_id != toFixedString('', 8)
