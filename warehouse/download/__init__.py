"""The data set from its publisher: files by HTTP, checked by size and hash."""
