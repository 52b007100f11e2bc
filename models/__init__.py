"""The model: encoder, towers, losses, training and metrics. The only home of torch."""

import os

# Before torch is loaded: its threads else wait for each other by spinning, and a training step that shares its cores with
# anything takes thirty times as long (150 steps on two busy cores: 72.7 s spinning, 2.6 s passive; 2.0 to 2.5 s when quiet).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
