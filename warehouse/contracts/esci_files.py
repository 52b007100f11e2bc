"""The names of ESCI's files."""

PRODUCTS_FILE = "shopping_queries_dataset_products.parquet"
EXAMPLES_FILE = "shopping_queries_dataset_examples.parquet"
SOURCES_FILE = "shopping_queries_dataset_sources.csv"
