"""Settings, and the context that they open."""
