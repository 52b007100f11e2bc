-- The tables that ever had a row: the DuckLake catalog has statistics of a table from its first row on.
select distinct schemas.schema_name || '.' || tables.table_name as name
from __ducklake_metadata_lake.ducklake_table_stats as stats
join __ducklake_metadata_lake.ducklake_table as tables using (table_id)
join __ducklake_metadata_lake.ducklake_schema as schemas using (schema_id)
