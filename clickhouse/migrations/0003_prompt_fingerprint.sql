-- What equal prompts have in common, and which tokens a built-in tool of the provider fed to the model.
ALTER TABLE llm_calls ADD COLUMN IF NOT EXISTS prompt_fingerprint String CODEC(ZSTD(1)) AFTER prompt_version;
ALTER TABLE llm_calls ADD COLUMN IF NOT EXISTS tool_use_tokens Nullable(UInt64) CODEC(T64, ZSTD(1)) AFTER reasoning_tokens;
ALTER TABLE llm_calls ADD COLUMN IF NOT EXISTS estimated_counts Array(LowCardinality(String)) CODEC(ZSTD(1)) AFTER usage_estimated;
