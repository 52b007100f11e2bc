"""SQL for people: read-only statements, named queries and previews."""
