"""Features: point-in-time lookups, datasets, the offline store and drift."""
