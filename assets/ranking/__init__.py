"""From a query to candidates, and from candidates to the trees that rank them."""
