-- The calls that were billed for these responses, whenever that was; the table has an index on them.
SELECT {columns}, counted_reason
FROM llm_calls
WHERE response_id IN {ids:Array(String)} AND counted
