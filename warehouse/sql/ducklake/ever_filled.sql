-- The tables that ever had a row: from the first one on, the catalog keeps statistics of a table.
select distinct schemas.schema_name || '.' || tables.table_name as name
from __ducklake_metadata_lake.ducklake_table_stats as stats
join __ducklake_metadata_lake.ducklake_table as tables using (table_id)
join __ducklake_metadata_lake.ducklake_schema as schemas using (schema_id)
