"""A provider that needs no key and no network, for the demo and for tests."""
