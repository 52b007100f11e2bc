"""The data: lake, contracts, cleaning, SQL, vectors. The only home of DuckDB and LanceDB."""
