-- What each hour cost, by the few dimensions every board asks for.  Only counted rows: its sums equal the sums over
-- llm_calls with counted = 1.  A call without a known cost adds nothing to the money and one to a counter that says why:
-- `unpriced` (usage known, price not), `unknown_usage` (nobody said what was used), `failed` (no answer, no usage).
-- The deduplication window makes a retried insert count once here too.
CREATE TABLE IF NOT EXISTS cost_hourly
(
    hour DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    project LowCardinality(String),
    feature LowCardinality(String),
    environment LowCardinality(String),
    provider LowCardinality(String),
    model LowCardinality(String),
    calls SimpleAggregateFunction(sum, UInt64),
    errors SimpleAggregateFunction(sum, UInt64),
    failed SimpleAggregateFunction(sum, UInt64),
    unpriced SimpleAggregateFunction(sum, UInt64),
    unknown_usage SimpleAggregateFunction(sum, UInt64),
    partly_priced SimpleAggregateFunction(sum, UInt64),
    input_tokens SimpleAggregateFunction(sum, UInt64),
    output_tokens SimpleAggregateFunction(sum, UInt64),
    cache_read_tokens SimpleAggregateFunction(sum, UInt64),
    cache_write_tokens SimpleAggregateFunction(sum, UInt64),
    reasoning_tokens SimpleAggregateFunction(sum, UInt64),
    cost SimpleAggregateFunction(sum, Decimal(38, 12)),
    cost_input SimpleAggregateFunction(sum, Decimal(38, 12)),
    cost_cache_read SimpleAggregateFunction(sum, Decimal(38, 12)),
    cost_cache_write SimpleAggregateFunction(sum, Decimal(38, 12)),
    cost_output SimpleAggregateFunction(sum, Decimal(38, 12)),
    cost_tools SimpleAggregateFunction(sum, Decimal(38, 12))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (project, feature, hour, environment, provider, model)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS cost_hourly_mv TO cost_hourly AS
SELECT
    toStartOfHour(c.ts, 'UTC') AS hour,
    project,
    feature,
    environment,
    provider,
    if(response_model != '', response_model, request_model) AS model,
    count() AS calls,
    countIf(error_type != '') AS errors,
    countIf(c.cost IS NULL AND price_reason = 'failed') AS failed,
    countIf(c.cost IS NULL AND price_reason NOT IN ('failed', 'no_usage', 'bad_usage')) AS unpriced,
    countIf(c.cost IS NULL AND price_reason IN ('no_usage', 'bad_usage')) AS unknown_usage,
    countIf(price_status = 'partial') AS partly_priced,
    sum(ifNull(c.input_tokens, 0)) AS input_tokens,
    sum(ifNull(c.output_tokens, 0)) AS output_tokens,
    sum(ifNull(c.cache_read_tokens, 0)) AS cache_read_tokens,
    sum(ifNull(c.cache_write_tokens, 0)) AS cache_write_tokens,
    sum(ifNull(c.reasoning_tokens, 0)) AS reasoning_tokens,
    sum(ifNull(c.cost, toDecimal64(0, 12))) AS cost,
    sum(ifNull(c.cost_input, toDecimal64(0, 12))) AS cost_input,
    sum(ifNull(c.cost_cache_read, toDecimal64(0, 12))) AS cost_cache_read,
    sum(ifNull(c.cost_cache_write, toDecimal64(0, 12))) AS cost_cache_write,
    sum(ifNull(c.cost_output, toDecimal64(0, 12))) AS cost_output,
    sum(ifNull(c.cost_tools, toDecimal64(0, 12))) AS cost_tools
FROM llm_calls AS c
WHERE counted
GROUP BY hour, project, feature, environment, provider, model;
