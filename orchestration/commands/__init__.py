"""What the commands do, one file each, without the terminal."""
