"""The commands without the terminal, one file each."""
