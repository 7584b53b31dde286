-- What was stored last, newest first; the hour keeps a large table from being read as a whole.  A clock that was ahead
-- may have left rows of the future: they do not say when that was.
SELECT {columns}, counted_reason
FROM llm_calls
WHERE received_at >= (SELECT max(received_at) FROM llm_calls WHERE received_at < now() + INTERVAL 1 MINUTE) - INTERVAL 1 HOUR
ORDER BY received_at DESC
LIMIT {size:UInt32}
