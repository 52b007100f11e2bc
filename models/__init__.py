"""The model: encoder, towers, losses, training and metrics. No other package imports torch."""

import os

# Set before torch is loaded: by default its threads wait by spinning, and a training step on shared cores takes thirty
# times as long (150 steps on two busy cores: 72.7 s spinning, 2.6 s passive; 2.0 to 2.5 s on idle cores).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
