-- What was stored last, newest first; the hour keeps a large table from being read as a whole.
SELECT {columns}, counted_reason
FROM llm_calls
WHERE received_at >= (SELECT max(received_at) FROM llm_calls) - INTERVAL 1 HOUR
ORDER BY received_at DESC
LIMIT {size:UInt32}
