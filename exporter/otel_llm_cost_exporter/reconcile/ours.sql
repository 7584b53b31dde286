-- Our side: counted calls by UTC day, model and how they were served, split by the rates they were priced at, so that
-- every class of tokens has an exact cost.  A call that was not priced has no quantities: its classes are made from
-- the columns, as the price book would.
SELECT
    day,
    provider,
    model,
    embedding,
    c.batch AS batch,
    tier,
    long,
    fast,
    geo,
    c.rates AS rates,
    c.cost IS NOT NULL AS priced,
    count() AS calls,
    sum(c.usage_estimated) AS estimated,
    sumMap(counts) AS counts,
    sum(c.cost) AS cost,
    sum(c.cost_input) AS cost_input,
    sum(c.cost_cache_read) AS cost_cache_read,
    sum(c.cost_cache_write) AS cost_cache_write,
    sum(c.cost_output) AS cost_output,
    sum(c.cost_tools) AS cost_tools
FROM
(
    SELECT
        *,
        toDate(ts, 'UTC') AS day,
        if(response_model != '', response_model, request_model) AS model,
        operation = 'embeddings' AS embedding,
        lower(service_tier) AS tier,
        lower(speed) AS fast,
        lower(inference_geo) AS geo,
        ifNull(input_tokens, 0) > {long_anthropic:UInt64} AND provider = 'anthropic'
            OR ifNull(input_tokens, 0) > {long_openai:UInt64} AND provider = 'openai' AS long,
        toInt64(ifNull(input_tokens, 0)) AS total_in,
        toInt64(ifNull(cache_read_tokens, 0)) AS read,
        toInt64(ifNull(cache_write_tokens, 0)) AS written,
        toInt64(ifNull(cache_write_1h_tokens, 0)) AS written_1h,
        toInt64(ifNull(audio_input_tokens, 0)) AS audio_in,
        toInt64(ifNull(audio_output_tokens, 0)) AS audio_out,
        if(
            notEmpty(quantities),
            CAST(quantities, 'Map(String, UInt64)'),
            CAST(
                map(
                    'input', toUInt64(greatest(0, total_in - read - written - audio_in)),
                    'input_audio', toUInt64(audio_in),
                    'cache_read', toUInt64(read),
                    'cache_write', toUInt64(greatest(0, written - written_1h)),
                    'cache_write_1h', toUInt64(written_1h),
                    'output', toUInt64(greatest(0, toInt64(ifNull(output_tokens, 0)) - audio_out)),
                    'output_audio', toUInt64(audio_out),
                    'web_search', toUInt64(ifNull(web_search_requests, 0))
                ),
                'Map(String, UInt64)'
            )
        ) AS counts
    FROM llm_calls
    WHERE counted
        AND provider IN {providers:Array(String)}
        AND ts >= {since:DateTime64(9, 'UTC')}
        AND ts < {until:DateTime64(9, 'UTC')}
        AND (empty({projects:Array(String)}) OR has({projects:Array(String)}, project))
) AS c
GROUP BY day, provider, model, embedding, batch, tier, long, fast, geo, rates, priced
ORDER BY day, provider, model
