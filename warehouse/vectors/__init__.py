"""Lance tables: product vectors with their index, and the cache of text embeddings."""
