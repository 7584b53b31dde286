-- The calls of a period with what they were priced by, and what they cost until now.  A row without quantities that has
-- a cost was stored before the store kept all that a price depends on: it cannot be priced again as faithfully, and is
-- left as it is.
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
    AND NOT (empty(c.quantities) AND c.cost IS NOT NULL)
