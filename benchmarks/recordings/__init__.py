"""Replays recorded provider traffic through the real SDK and scores the spans against the recorded bytes."""
