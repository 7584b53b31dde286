"""Frameworks and other instrumentations above and beside ours: every call has one bill."""
