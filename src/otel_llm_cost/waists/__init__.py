"""Where each family of SDKs sends all its requests through, and how it is watched there."""
