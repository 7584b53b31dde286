-- When calls that go by these keys began: nearly always none, for a span comes once.  Of a great many below one span
-- some are enough.
SELECT DISTINCT ts_ns
FROM
(
    SELECT toUnixTimestamp64Nano(ts) AS ts_ns
    FROM call_keys
    WHERE key IN {keys:Array(UInt64)} AND received_on >= today() - {days:UInt16}
    LIMIT 200 BY key
)
