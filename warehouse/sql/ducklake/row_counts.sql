-- The row count of every table in the newest snapshot of the lake: the rows of its files without the deleted ones.
select
    schemas.schema_name || '.' || tables.table_name as name,
    coalesce(sum(files.record_count - coalesce(deletes.delete_count, 0)), 0)::bigint as row_count
from __ducklake_metadata_lake.ducklake_table as tables
join __ducklake_metadata_lake.ducklake_schema as schemas
    on schemas.schema_id = tables.schema_id and schemas.end_snapshot is null
left join __ducklake_metadata_lake.ducklake_data_file as files
    on files.table_id = tables.table_id and files.end_snapshot is null
left join __ducklake_metadata_lake.ducklake_delete_file as deletes
    on deletes.data_file_id = files.data_file_id and deletes.end_snapshot is null
where tables.end_snapshot is null
group by name
order by name
