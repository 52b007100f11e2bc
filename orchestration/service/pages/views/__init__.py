"""The content of the pages, one module each, as values that its template shows."""
