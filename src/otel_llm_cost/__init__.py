"""Zero-code GenAI spans with tokens, cache, errors and retries."""
