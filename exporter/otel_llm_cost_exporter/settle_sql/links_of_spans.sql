-- Which span is below which, where the store has all spans, also those that are no calls.
SELECT concat(tenant, '/', TraceId) AS trace, SpanId AS span, ParentSpanId AS parent
FROM otel_traces
INNER JOIN (SELECT DISTINCT tenant, lower(hex(trace_id)) AS of_calls FROM calls) AS known ON TraceId = of_calls
WHERE Timestamp >= now() - toIntervalDay({days:UInt16} + 1) AND ParentSpanId != ''
