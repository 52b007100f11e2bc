"""Training: batches, losses, steps and validation."""
