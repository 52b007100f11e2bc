"""What a search adds to ranking: filters, facets, rules by hand, spelling and attributes."""
