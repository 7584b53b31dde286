-- The calls that began at these moments.
SELECT {columns}, counted_reason
FROM llm_calls
WHERE ts >= fromUnixTimestamp64Nano({first:Int64}, 'UTC')
    AND ts <= fromUnixTimestamp64Nano({last:Int64}, 'UTC')
    AND toUnixTimestamp64Nano(ts) IN {moments:Array(Int64)}
