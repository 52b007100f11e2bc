-- For every table of the lake, the snapshot that created it or last added a column.
with
made as (
    select table_id, min(begin_snapshot) as made_at from __ducklake_metadata_lake.ducklake_table group by table_id
),
shaped as (
    select table_id, max(begin_snapshot) as shaped_at
    from __ducklake_metadata_lake.ducklake_column
    where end_snapshot is null
    group by table_id
)
select schemas.schema_name || '.' || tables.table_name as name, greatest(made.made_at, shaped.shaped_at) as made_at
from __ducklake_metadata_lake.ducklake_table as tables
join __ducklake_metadata_lake.ducklake_schema as schemas
    on schemas.schema_id = tables.schema_id and schemas.end_snapshot is null
join made on made.table_id = tables.table_id
join shaped on shaped.table_id = tables.table_id
where tables.end_snapshot is null
