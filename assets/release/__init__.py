"""The assets of a release: vectors, gate, evaluation, drift, the live release."""
