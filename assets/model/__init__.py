"""The assets of the model: embeddings, hard negatives, the two-tower model."""
