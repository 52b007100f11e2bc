"""What is known about the tables: meanings of columns, and where each comes from."""
