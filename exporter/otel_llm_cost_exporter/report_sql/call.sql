-- Stored calls by a name that a person has at hand: a trace, a span, the provider's response id.
SELECT
    lower(hex(trace_id)) AS trace,
    lower(hex(span_id)) AS span,
    ts, project, feature, service_name, provider,
    if(response_model != '', response_model, request_model) AS model,
    response_id, cost, quantities, rates, stated_cost,
    price_status, price_reason, price_model, price_version, repriced_at, counted, counted_reason, problems
FROM llm_calls
WHERE trace_id = unhex({trace:String}) OR span_id = unhex({span:String}) OR (response_id = {id:String} AND response_id != '')
ORDER BY ts, counted DESC
LIMIT {most:UInt32}
