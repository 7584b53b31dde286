-- How history is corrected: one row for every call whose price a `reprice` changed, with the old figures and the new.
-- It is the audit trail, and it is what moves the rollup: the view below adds the difference, so a correction that is
-- inserted twice under one token counts once.  The rows of llm_calls are changed after, by a mutation.
-- `reprice_plan` holds a run's corrections before anybody has said yes; a run that broke off is taken up from there.
CREATE TABLE IF NOT EXISTS price_corrections
(
    run UUID,
    corrected_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    ts DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    trace_id FixedString(16) CODEC(ZSTD(1)),
    span_id FixedString(8) CODEC(ZSTD(1)),
    project LowCardinality(String),
    feature LowCardinality(String),
    environment LowCardinality(String),
    provider LowCardinality(String),
    model LowCardinality(String),
    counted Bool,
    old_cost Nullable(Decimal(18, 12)) CODEC(ZSTD(1)),
    old_cost_input Nullable(Decimal(18, 12)) CODEC(ZSTD(1)),
    old_cost_cache_read Nullable(Decimal(18, 12)) CODEC(ZSTD(1)),
    old_cost_cache_write Nullable(Decimal(18, 12)) CODEC(ZSTD(1)),
    old_cost_output Nullable(Decimal(18, 12)) CODEC(ZSTD(1)),
    old_cost_tools Nullable(Decimal(18, 12)) CODEC(ZSTD(1)),
    old_rates Map(LowCardinality(String), UInt64) CODEC(ZSTD(1)),
    old_price_status LowCardinality(String),
    old_price_reason LowCardinality(String),
    old_price_model LowCardinality(String),
    old_price_version LowCardinality(String),
    cost Nullable(Decimal(18, 12)) CODEC(ZSTD(1)),
    cost_input Nullable(Decimal(18, 12)) CODEC(ZSTD(1)),
    cost_cache_read Nullable(Decimal(18, 12)) CODEC(ZSTD(1)),
    cost_cache_write Nullable(Decimal(18, 12)) CODEC(ZSTD(1)),
    cost_output Nullable(Decimal(18, 12)) CODEC(ZSTD(1)),
    cost_tools Nullable(Decimal(18, 12)) CODEC(ZSTD(1)),
    quantities Map(LowCardinality(String), UInt64) CODEC(ZSTD(1)),
    rates Map(LowCardinality(String), UInt64) CODEC(ZSTD(1)),
    price_status LowCardinality(String),
    price_reason LowCardinality(String),
    price_model LowCardinality(String),
    price_version LowCardinality(String)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (ts, trace_id, span_id, corrected_at)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS reprice_plan AS price_corrections
ENGINE = MergeTree
PARTITION BY toYYYYMM(corrected_at)
ORDER BY (run, ts, trace_id, span_id)
TTL toDateTime(corrected_at) + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 10000;

-- One row when a run was planned, one when it was begun and one when it was done.
CREATE TABLE IF NOT EXISTS reprices
(
    run UUID,
    stage Enum8('planned' = 1, 'begun' = 2, 'done' = 3),
    at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC'),
    since DateTime64(9, 'UTC'),
    until DateTime64(9, 'UTC'),
    provider String,
    model String,
    price_version String,
    calls UInt64
)
ENGINE = MergeTree
ORDER BY (run, stage);

-- Counters that a correction may lower.
ALTER TABLE cost_hourly MODIFY COLUMN unpriced SimpleAggregateFunction(sum, Int64);
ALTER TABLE cost_hourly MODIFY COLUMN unknown_usage SimpleAggregateFunction(sum, Int64);
ALTER TABLE cost_hourly MODIFY COLUMN failed SimpleAggregateFunction(sum, Int64);
ALTER TABLE cost_hourly MODIFY COLUMN partly_priced SimpleAggregateFunction(sum, Int64);

-- A correction that broke off may be taken up later than most inserts are tried again.
ALTER TABLE cost_hourly MODIFY SETTING non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS cost_hourly_corrections_mv TO cost_hourly AS
SELECT
    toStartOfHour(c.ts, 'UTC') AS hour,
    project,
    feature,
    environment,
    provider,
    model,
    toUInt64(0) AS calls,
    toUInt64(0) AS errors,
    sum(toInt64(c.cost IS NULL AND c.price_reason = 'failed')
        - toInt64(c.old_cost IS NULL AND c.old_price_reason = 'failed')) AS failed,
    sum(toInt64(c.cost IS NULL AND c.price_reason NOT IN ('failed', 'no_usage', 'bad_usage'))
        - toInt64(c.old_cost IS NULL AND c.old_price_reason NOT IN ('failed', 'no_usage', 'bad_usage'))) AS unpriced,
    sum(toInt64(c.cost IS NULL AND c.price_reason IN ('no_usage', 'bad_usage'))
        - toInt64(c.old_cost IS NULL AND c.old_price_reason IN ('no_usage', 'bad_usage'))) AS unknown_usage,
    sum(toInt64(c.price_status = 'partial') - toInt64(c.old_price_status = 'partial')) AS partly_priced,
    toUInt64(0) AS input_tokens,
    toUInt64(0) AS output_tokens,
    toUInt64(0) AS cache_read_tokens,
    toUInt64(0) AS cache_write_tokens,
    toUInt64(0) AS reasoning_tokens,
    sum(ifNull(c.cost, toDecimal64(0, 12)) - ifNull(c.old_cost, toDecimal64(0, 12))) AS cost,
    sum(ifNull(c.cost_input, toDecimal64(0, 12)) - ifNull(c.old_cost_input, toDecimal64(0, 12))) AS cost_input,
    sum(ifNull(c.cost_cache_read, toDecimal64(0, 12)) - ifNull(c.old_cost_cache_read, toDecimal64(0, 12))) AS cost_cache_read,
    sum(ifNull(c.cost_cache_write, toDecimal64(0, 12)) - ifNull(c.old_cost_cache_write, toDecimal64(0, 12))) AS cost_cache_write,
    sum(ifNull(c.cost_output, toDecimal64(0, 12)) - ifNull(c.old_cost_output, toDecimal64(0, 12))) AS cost_output,
    sum(ifNull(c.cost_tools, toDecimal64(0, 12)) - ifNull(c.old_cost_tools, toDecimal64(0, 12))) AS cost_tools
FROM price_corrections AS c
WHERE counted
GROUP BY hour, project, feature, environment, provider, model;
