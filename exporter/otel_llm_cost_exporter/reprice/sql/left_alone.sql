-- How many calls of a period are left as they are, see calls.sql.
SELECT count() AS calls
FROM llm_calls AS c
WHERE c.ts >= {since:DateTime64(9, 'UTC')}
    AND c.ts < {until:DateTime64(9, 'UTC')}
    AND ({provider:String} = '' OR c.provider = {provider:String})
    AND ({model:String} = '' OR {model:String} IN (c.response_model, c.request_model, c.price_model))
    AND c.received_at < (SELECT min(applied_at) FROM schema_migrations WHERE name = '0004_bill')
