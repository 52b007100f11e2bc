"""The pages of the service: search, comparison, product, data and quality, rendered on the server."""
