"""What the invented products and queries are made of: product types, attributes, brands and phrases."""
