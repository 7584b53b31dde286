-- The calls of a period with what they were priced by, and what they cost until now.  What was stored
-- before migration 4 lacks some of what a price depends on: it cannot be priced again as faithfully, and is left.
SELECT
    {columns},
    project, feature, environment, counted,
    c.cost, c.cost_input, c.cost_cache_read, c.cost_cache_write, c.cost_output, c.cost_tools, c.rates,
    c.price_status, c.price_version
FROM llm_calls AS c
WHERE c.ts >= {since:DateTime64(9, 'UTC')}
    AND c.ts < {until:DateTime64(9, 'UTC')}
    AND ({provider:String} = '' OR c.provider = {provider:String})
    AND ({model:String} = '' OR {model:String} IN (c.response_model, c.request_model, c.price_model))
    AND c.received_at >= (SELECT min(applied_at) FROM schema_migrations WHERE name = '0004_bill')
