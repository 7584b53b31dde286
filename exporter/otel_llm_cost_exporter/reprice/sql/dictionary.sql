-- The corrections of one chunk by call, and by what the call cost, for the mutation to look up: of two rows with one id
-- each gets its own.  Ids as hex: a dictionary has no FixedString.
CREATE OR REPLACE DICTIONARY reprice_corrections
(
    trace String,
    span String,
    was String,
    cost Nullable(Decimal(18, 12)),
    cost_input Nullable(Decimal(18, 12)),
    cost_cache_read Nullable(Decimal(18, 12)),
    cost_cache_write Nullable(Decimal(18, 12)),
    cost_output Nullable(Decimal(18, 12)),
    cost_tools Nullable(Decimal(18, 12)),
    quantity_names Array(String),
    quantity_values Array(UInt64),
    rate_names Array(String),
    rate_values Array(UInt64),
    price_status String,
    price_reason String,
    price_model String,
    price_version String
)
PRIMARY KEY trace, span, was
SOURCE(CLICKHOUSE(/* credentials */ QUERY '
    SELECT hex(trace_id) AS trace, hex(span_id) AS span,
        concat(provider, ''|'', ifNull(toString(old_cost), ''''), ''|'', old_price_version) AS was,
        cost, cost_input, cost_cache_read, cost_cache_write, cost_output, cost_tools,
        mapKeys(quantities) AS quantity_names, mapValues(quantities) AS quantity_values,
        mapKeys(rates) AS rate_names, mapValues(rates) AS rate_values,
        price_status, price_reason, price_model, price_version
    FROM price_corrections
    WHERE run = toUUID(''{run}'')
        AND ts BETWEEN fromUnixTimestamp64Nano({first_ns}) AND fromUnixTimestamp64Nano({last_ns})'))
LIFETIME(0)
LAYOUT(COMPLEX_KEY_HASHED())
