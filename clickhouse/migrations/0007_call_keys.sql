-- By what names a call is known, eight bytes each, sorted: whether a call has been stored already, by whichever process,
-- is a lookup here.  A key is a span's id, or with every bit turned the id of a span that it is below, or made of
-- provider and response id; it leads to the moment at which the call began.  `recall.py` makes the same keys.
CREATE TABLE IF NOT EXISTS call_keys
(
    received_on Date,
    key UInt64 CODEC(NONE),
    ts DateTime64(9, 'UTC') CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY received_on
ORDER BY key
TTL received_on + INTERVAL 3 DAY
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, index_granularity = 1024;

CREATE MATERIALIZED VIEW IF NOT EXISTS call_keys_mv TO call_keys AS
SELECT
    toDate(received_at, 'UTC') AS received_on,
    arrayJoin(arrayFilter(k -> k != 0, [
        reinterpretAsUInt64(span_id),
        if(parent_span_id = toFixedString('', 8), 0, bitNot(reinterpretAsUInt64(parent_span_id))),
        if(response_id = '', 0, reinterpretAsUInt64(substring(MD5(concat(provider, '\0', response_id)), 1, 8)))
    ])) AS key,
    c.ts AS ts
FROM llm_calls AS c;

INSERT INTO call_keys
SELECT
    toDate(received_at, 'UTC') AS received_on,
    arrayJoin(arrayFilter(k -> k != 0, [
        reinterpretAsUInt64(span_id),
        if(parent_span_id = toFixedString('', 8), 0, bitNot(reinterpretAsUInt64(parent_span_id))),
        if(response_id = '', 0, reinterpretAsUInt64(substring(MD5(concat(provider, '\0', response_id)), 1, 8)))
    ])) AS key,
    c.ts AS ts
FROM llm_calls AS c
WHERE received_at >= now() - INTERVAL 3 DAY;
