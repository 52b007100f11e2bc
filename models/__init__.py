"""The model: encoder, towers, losses, training, metrics. The only home of torch."""
