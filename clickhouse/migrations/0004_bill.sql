-- What a bill is made of, so that every cent of `cost` can be explained from the row alone: for each bucket the units
-- that are billed and what one of them costs in pico-dollars (10^-12 USD); `cost` is the sum of their products.  A
-- bucket whose rate nobody knows is in `quantities` only.  And what else decides a price, so that a call can be priced
-- again: the counts that have no column of their own, by name; what other models used (`asides`); how it was served.
ALTER TABLE llm_calls ADD COLUMN IF NOT EXISTS request_service_tier LowCardinality(String) AFTER service_tier;
ALTER TABLE llm_calls ADD COLUMN IF NOT EXISTS speed LowCardinality(String) AFTER request_service_tier;
ALTER TABLE llm_calls ADD COLUMN IF NOT EXISTS inference_geo LowCardinality(String) AFTER speed;
ALTER TABLE llm_calls ADD COLUMN IF NOT EXISTS usage_other Map(LowCardinality(String), UInt64) CODEC(ZSTD(1)) AFTER web_search_requests;
ALTER TABLE llm_calls ADD COLUMN IF NOT EXISTS asides Array(String) CODEC(ZSTD(1)) AFTER usage_other;
ALTER TABLE llm_calls ADD COLUMN IF NOT EXISTS quantities Map(LowCardinality(String), UInt64) CODEC(ZSTD(1)) AFTER cost_tools;
ALTER TABLE llm_calls ADD COLUMN IF NOT EXISTS rates Map(LowCardinality(String), UInt64) CODEC(ZSTD(1)) AFTER quantities;
ALTER TABLE llm_calls ADD COLUMN IF NOT EXISTS repriced_at Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)) AFTER price_version;
