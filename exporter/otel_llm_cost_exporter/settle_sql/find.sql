-- Counted calls of the last days that another row tells as well, and why they should not be: the deepest span with usage
-- wins, of two with one response id the one written by otel-llm-cost, then the first to come.  Copies of one span that came
-- in the same millisecond cannot be told apart: they are found and left.
WITH RECURSIVE
    calls AS
    (
        SELECT
            *,
            concat(tenant, '/', lower(hex(trace_id))) AS trace, -- one call has one bill among the calls of one tenant
            price_reason NOT IN ('bad_usage', 'no_usage', 'failed')
                AND (operation != 'fetch_response' OR scope_name = 'otel_llm_cost') AS carries_usage
        FROM llm_calls
        WHERE received_at >= now() - toIntervalDay({days:UInt16})
    ),
    links AS ({links}),
    above AS
    (
        SELECT trace, lower(hex(parent_span_id)) AS span, lower(hex(span_id)) AS origin, 1 AS height
        FROM calls
        WHERE carries_usage AND counted
        UNION ALL
        SELECT links.trace AS trace, links.parent AS span, above.origin AS origin, above.height + 1 AS height
        FROM above
        INNER JOIN links ON links.trace = above.trace AND links.span = above.span
        WHERE above.height < 32
    ),
    covering AS -- billed for what is below them, some of which came later and was set aside
    (
        SELECT trace, lower(hex(span_id)) AS span
        FROM calls
        WHERE counted AND carries_usage AND (trace, span_id) IN
            (SELECT trace, parent_span_id FROM calls WHERE NOT counted AND counted_reason = 'child_of_billed')
    ),
    parents AS -- not what names itself or its own parent as what is below it
    (
        SELECT DISTINCT trace, span FROM above
        WHERE span != origin AND (trace, origin, span) NOT IN (SELECT trace, span, origin FROM above)
            AND (trace, span) NOT IN (SELECT trace, span FROM covering)
    ),
    placed AS
    (
        SELECT
            *,
            (trace, lower(hex(span_id))) IN (SELECT trace, span FROM parents) AS is_parent,
            count() OVER (PARTITION BY trace, span_id, received_at) AS alike,
            row_number() OVER (PARTITION BY trace, span_id ORDER BY counted DESC, received_at) AS copy,
            row_number() OVER same_response AS place,
            first_value((scope_name, batch OR operation = 'fetch_response', span_id)) OVER same_response AS best
        FROM calls
        WINDOW same_response AS (
            PARTITION BY if(response_id = '' OR NOT carries_usage OR NOT counted OR is_parent, concat(trace, hex(span_id)), concat(tenant, '\0', provider, '\0', response_id))
            ORDER BY scope_name != 'otel_llm_cost', received_at, ts
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    )
SELECT
    multiIf(
        copy > 1, 'seen_before',
        is_parent, 'parent_of_billed',
        carries_usage AND (trace, lower(hex(parent_span_id))) IN (SELECT trace, span FROM covering),
            'child_of_billed',
        response_id != '' AND carries_usage AND place > 1 AND span_id != best.3
            AND NOT (scope_name = 'otel_llm_cost' AND best.1 = 'otel_llm_cost'
                AND NOT (batch OR operation = 'fetch_response' OR best.2)), 'duplicate_response',
        '') AS reason,
    trace_id, span_id, toUnixTimestamp64Milli(placed.received_at) AS received_ms,
    toUnixTimestamp64Nano(ts) AS ts_ns, project, feature, environment, provider,
    if(response_model != '', response_model, request_model) AS model,
    error_type, price_status, price_reason, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
    reasoning_tokens, cost, cost_input, cost_cache_read, cost_cache_write, cost_output, cost_tools, alike > 1 AS left_alone
FROM placed
WHERE counted AND reason != ''
    AND (trace_id, span_id, received_at) NOT IN (SELECT trace_id, span_id, received_at FROM llm_calls_set_aside)
