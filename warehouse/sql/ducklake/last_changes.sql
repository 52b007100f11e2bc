-- For every table of the lake, the last snapshot that wrote or deleted rows of it, or created it. A file with rows of several
-- snapshots names the first of them and, as partial_max, the last.
with
events as (
    select table_id, begin_snapshot as snapshot from __ducklake_metadata_lake.ducklake_table where end_snapshot is null
    union all
    select table_id, unnest([begin_snapshot, partial_max, end_snapshot]) from __ducklake_metadata_lake.ducklake_data_file
    union all
    select table_id, unnest([begin_snapshot, partial_max, end_snapshot]) from __ducklake_metadata_lake.ducklake_delete_file
)
select schemas.schema_name || '.' || tables.table_name as name, max(events.snapshot) as last_change
from events
join __ducklake_metadata_lake.ducklake_table as tables on tables.table_id = events.table_id and tables.end_snapshot is null
join __ducklake_metadata_lake.ducklake_schema as schemas
    on schemas.schema_id = tables.schema_id and schemas.end_snapshot is null
where events.snapshot <= (select id from ducklake_current_snapshot('lake'))
group by name
