"""The assets of the lake: raw, staging, features, training."""
