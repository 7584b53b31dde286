-- Calls that were counted when they came and turned out to be told twice: the other telling was in another insert.
-- `otel-llm-cost settle` finds them; a row here takes a call out of the rollup, and is the trail of that.
CREATE TABLE IF NOT EXISTS llm_calls_set_aside
(
    set_aside_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC'),
    reason LowCardinality(String),
    trace_id FixedString(16),
    span_id FixedString(8),
    received_at DateTime64(3, 'UTC'),
    ts DateTime64(9, 'UTC'),
    project LowCardinality(String),
    feature LowCardinality(String),
    environment LowCardinality(String),
    provider LowCardinality(String),
    model LowCardinality(String),
    error_type LowCardinality(String),
    price_status LowCardinality(String),
    price_reason LowCardinality(String),
    input_tokens Nullable(UInt64),
    output_tokens Nullable(UInt64),
    cache_read_tokens Nullable(UInt64),
    cache_write_tokens Nullable(UInt64),
    reasoning_tokens Nullable(UInt64),
    cost Nullable(Decimal(18, 12)),
    cost_input Nullable(Decimal(18, 12)),
    cost_cache_read Nullable(Decimal(18, 12)),
    cost_cache_write Nullable(Decimal(18, 12)),
    cost_output Nullable(Decimal(18, 12)),
    cost_tools Nullable(Decimal(18, 12))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (trace_id, span_id, received_at)
SETTINGS non_replicated_deduplication_window = 1000;

-- Sums that a correction may lower.
ALTER TABLE cost_hourly MODIFY COLUMN calls SimpleAggregateFunction(sum, Int64);
ALTER TABLE cost_hourly MODIFY COLUMN errors SimpleAggregateFunction(sum, Int64);
ALTER TABLE cost_hourly MODIFY COLUMN input_tokens SimpleAggregateFunction(sum, Int64);
ALTER TABLE cost_hourly MODIFY COLUMN output_tokens SimpleAggregateFunction(sum, Int64);
ALTER TABLE cost_hourly MODIFY COLUMN cache_read_tokens SimpleAggregateFunction(sum, Int64);
ALTER TABLE cost_hourly MODIFY COLUMN cache_write_tokens SimpleAggregateFunction(sum, Int64);
ALTER TABLE cost_hourly MODIFY COLUMN reasoning_tokens SimpleAggregateFunction(sum, Int64);

CREATE MATERIALIZED VIEW IF NOT EXISTS cost_hourly_set_aside_mv TO cost_hourly AS
SELECT
    toStartOfHour(c.ts, 'UTC') AS hour,
    project,
    feature,
    environment,
    provider,
    model,
    -toInt64(count()) AS calls,
    -toInt64(countIf(error_type != '')) AS errors,
    -toInt64(countIf(c.cost IS NULL AND price_reason = 'failed')) AS failed,
    -toInt64(countIf(c.cost IS NULL AND price_reason NOT IN ('failed', 'no_usage', 'bad_usage'))) AS unpriced,
    -toInt64(countIf(c.cost IS NULL AND price_reason IN ('no_usage', 'bad_usage'))) AS unknown_usage,
    -toInt64(countIf(price_status = 'partial')) AS partly_priced,
    -toInt64(sum(ifNull(c.input_tokens, 0))) AS input_tokens,
    -toInt64(sum(ifNull(c.output_tokens, 0))) AS output_tokens,
    -toInt64(sum(ifNull(c.cache_read_tokens, 0))) AS cache_read_tokens,
    -toInt64(sum(ifNull(c.cache_write_tokens, 0))) AS cache_write_tokens,
    -toInt64(sum(ifNull(c.reasoning_tokens, 0))) AS reasoning_tokens,
    -sum(ifNull(c.cost, toDecimal64(0, 12))) AS cost,
    -sum(ifNull(c.cost_input, toDecimal64(0, 12))) AS cost_input,
    -sum(ifNull(c.cost_cache_read, toDecimal64(0, 12))) AS cost_cache_read,
    -sum(ifNull(c.cost_cache_write, toDecimal64(0, 12))) AS cost_cache_write,
    -sum(ifNull(c.cost_output, toDecimal64(0, 12))) AS cost_output,
    -sum(ifNull(c.cost_tools, toDecimal64(0, 12))) AS cost_tools
FROM llm_calls_set_aside AS c
GROUP BY hour, project, feature, environment, provider, model;
