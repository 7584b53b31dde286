"""One file of pure functions per vendor."""
