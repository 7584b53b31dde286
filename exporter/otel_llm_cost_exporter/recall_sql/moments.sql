-- When calls that go by these keys began: nearly always none, for a span comes once.  Of a great many below one span
-- some are enough.  The keys come packed, eight bytes each.
WITH concat(
    base64Decode({keys_1:String}),
    base64Decode({keys_2:String}),
    base64Decode({keys_3:String}),
    base64Decode({keys_4:String})
) AS packed
SELECT DISTINCT ts_ns
FROM
(
    SELECT toUnixTimestamp64Nano(ts) AS ts_ns
    FROM call_keys
    WHERE received_on >= today() - {days:UInt16}
        AND key IN
        (
            SELECT reinterpretAsUInt64(substring(packed, 8 * number + 1, 8))
            FROM numbers({count:UInt32})
        )
    LIMIT 200 BY key
)
