"""The HTTP service: searches, lookups and deltas of one home, answered by processes that stay."""
