"""What people are shown of a run: plots and reports."""
