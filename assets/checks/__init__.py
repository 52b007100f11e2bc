"""The asset checks, and the steps that run them."""
