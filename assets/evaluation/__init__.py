"""What decides which models are published: offline evaluation, known items, the comparison with the live model."""
