"""The two towers: network, features, checkpoints, and inference without torch."""
