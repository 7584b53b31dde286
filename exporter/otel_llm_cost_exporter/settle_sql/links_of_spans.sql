-- Which span is below which, where the store has all spans, also those that are no calls.
SELECT TraceId AS trace, SpanId AS span, ParentSpanId AS parent
FROM otel_traces
WHERE Timestamp >= now() - toIntervalDay({days:UInt16} + 1) AND ParentSpanId != ''
    AND TraceId IN (SELECT lower(hex(trace_id)) FROM calls)
