-- A key of a tenant's call is made with the tenant, so that nobody finds, or hides, another's; `recall.py` makes the same.
-- And a key is kept from the day it was stored: what waited for days in a journal is looked up for two days all the same.
ALTER TABLE call_keys_mv MODIFY QUERY
SELECT
    toDate(now('UTC')) AS received_on,
    arrayJoin(arrayMap(
        k -> if(c.tenant = '', k, reinterpretAsUInt64(substring(MD5(concat(c.tenant, '\0', reinterpretAsFixedString(k))), 1, 8))),
        arrayFilter(k -> k != 0, [
            reinterpretAsUInt64(span_id),
            if(parent_span_id = toFixedString('', 8), 0, bitNot(reinterpretAsUInt64(parent_span_id))),
            if(response_id = '', 0, reinterpretAsUInt64(substring(MD5(concat(provider, '\0', response_id)), 1, 8)))
        ])
    )) AS key,
    c.ts AS ts
FROM llm_calls AS c;

-- How many inserts a store remembers: an insert is tried again until it is known to have been taken, which may be hours.
ALTER TABLE llm_calls MODIFY SETTING non_replicated_deduplication_window = 100000;
ALTER TABLE call_keys MODIFY SETTING non_replicated_deduplication_window = 100000;
