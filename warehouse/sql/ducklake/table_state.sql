-- The row count of one table of the lake, and the last snapshot that wrote or deleted rows of it, or created it. The files
-- row_counts and last_changes return the same for all tables.
with
chosen as (
    select tables.table_id, tables.begin_snapshot
    from __ducklake_metadata_lake.ducklake_table as tables
    join __ducklake_metadata_lake.ducklake_schema as schemas
        on schemas.schema_id = tables.schema_id and schemas.end_snapshot is null
    where tables.end_snapshot is null and schemas.schema_name = $schema and tables.table_name = $name
),
data_files as (
    from __ducklake_metadata_lake.ducklake_data_file where table_id = (select table_id from chosen)
),
delete_files as (
    from __ducklake_metadata_lake.ducklake_delete_file where table_id = (select table_id from chosen)
),
events as (
    select unnest([begin_snapshot, partial_max, end_snapshot]) as snapshot from data_files
    union all
    select unnest([begin_snapshot, partial_max, end_snapshot]) from delete_files
)
select
    (
        select coalesce(sum(data_files.record_count - coalesce(delete_files.delete_count, 0)), 0)::bigint
        from data_files
        left join delete_files
            on delete_files.data_file_id = data_files.data_file_id and delete_files.end_snapshot is null
        where data_files.end_snapshot is null
    ) as row_count,
    greatest(chosen.begin_snapshot, (select max(snapshot) from events)) as last_change
from chosen
