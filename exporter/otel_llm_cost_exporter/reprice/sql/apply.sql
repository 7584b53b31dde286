-- Set the corrected figures.  They are set, not added, so that it can be done again.
ALTER TABLE llm_calls
UPDATE
    cost = dictGet('reprice_corrections', 'cost', (hex(trace_id), hex(span_id), concat(provider, '|', ifNull(toString(cost), ''), '|', price_version))),
    cost_input = dictGet('reprice_corrections', 'cost_input', (hex(trace_id), hex(span_id), concat(provider, '|', ifNull(toString(cost), ''), '|', price_version))),
    cost_cache_read = dictGet('reprice_corrections', 'cost_cache_read', (hex(trace_id), hex(span_id), concat(provider, '|', ifNull(toString(cost), ''), '|', price_version))),
    cost_cache_write = dictGet('reprice_corrections', 'cost_cache_write', (hex(trace_id), hex(span_id), concat(provider, '|', ifNull(toString(cost), ''), '|', price_version))),
    cost_output = dictGet('reprice_corrections', 'cost_output', (hex(trace_id), hex(span_id), concat(provider, '|', ifNull(toString(cost), ''), '|', price_version))),
    cost_tools = dictGet('reprice_corrections', 'cost_tools', (hex(trace_id), hex(span_id), concat(provider, '|', ifNull(toString(cost), ''), '|', price_version))),
    quantities = mapFromArrays(
        dictGet('reprice_corrections', 'quantity_names', (hex(trace_id), hex(span_id), concat(provider, '|', ifNull(toString(cost), ''), '|', price_version))),
        dictGet('reprice_corrections', 'quantity_values', (hex(trace_id), hex(span_id), concat(provider, '|', ifNull(toString(cost), ''), '|', price_version)))),
    rates = mapFromArrays(
        dictGet('reprice_corrections', 'rate_names', (hex(trace_id), hex(span_id), concat(provider, '|', ifNull(toString(cost), ''), '|', price_version))),
        dictGet('reprice_corrections', 'rate_values', (hex(trace_id), hex(span_id), concat(provider, '|', ifNull(toString(cost), ''), '|', price_version)))),
    price_status = dictGet('reprice_corrections', 'price_status', (hex(trace_id), hex(span_id), concat(provider, '|', ifNull(toString(cost), ''), '|', price_version))),
    price_reason = dictGet('reprice_corrections', 'price_reason', (hex(trace_id), hex(span_id), concat(provider, '|', ifNull(toString(cost), ''), '|', price_version))),
    price_model = dictGet('reprice_corrections', 'price_model', (hex(trace_id), hex(span_id), concat(provider, '|', ifNull(toString(cost), ''), '|', price_version))),
    price_version = dictGet('reprice_corrections', 'price_version', (hex(trace_id), hex(span_id), concat(provider, '|', ifNull(toString(cost), ''), '|', price_version))),
    repriced_at = now64(3, 'UTC')
WHERE ts BETWEEN fromUnixTimestamp64Nano({first_ns}) AND fromUnixTimestamp64Nano({last_ns})
    AND dictHas('reprice_corrections', (hex(trace_id), hex(span_id), concat(provider, '|', ifNull(toString(cost), ''), '|', price_version)))
SETTINGS mutations_sync = 2, allow_nondeterministic_mutations = 1
