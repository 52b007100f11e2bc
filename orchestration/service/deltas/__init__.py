"""Posted deltas: the queue that keeps them, and the process that applies them."""
