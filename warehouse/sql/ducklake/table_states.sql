-- The state of every table of the lake as of one snapshot, in the dialect of SQLite. A file with rows of several snapshots
-- names the first of them and, as partial_max, the last. DuckLake has statistics of a table from its first row on.
with
present as (
    select tables.table_id, schemas.schema_name || '.' || tables.table_name as name, tables.begin_snapshot
    from ducklake_table as tables
    join ducklake_schema as schemas on schemas.schema_id = tables.schema_id
    where tables.begin_snapshot <= :snapshot and coalesce(tables.end_snapshot, :snapshot + 1) > :snapshot
        and schemas.begin_snapshot <= :snapshot and coalesce(schemas.end_snapshot, :snapshot + 1) > :snapshot
),
shaped as (
    select table_id, max(begin_snapshot) as shaped_at
    from ducklake_column
    where begin_snapshot <= :snapshot and coalesce(end_snapshot, :snapshot + 1) > :snapshot
    group by table_id
),
files as (
    select table_id, begin_snapshot, coalesce(partial_max, 0) as partial_max, end_snapshot from ducklake_data_file
    union all
    select table_id, begin_snapshot, coalesce(partial_max, 0), end_snapshot from ducklake_delete_file
),
written as (
    select
        table_id,
        max(max(
            iif(begin_snapshot <= :snapshot, begin_snapshot, 0),
            iif(partial_max <= :snapshot, partial_max, 0),
            iif(end_snapshot <= :snapshot, end_snapshot, 0)
        )) as last_write
    from files
    group by table_id
),
deleted as (
    select data_file_id, delete_count
    from ducklake_delete_file
    where begin_snapshot <= :snapshot and coalesce(end_snapshot, :snapshot + 1) > :snapshot
),
filled as (
    select data_files.table_id, sum(data_files.record_count - coalesce(deleted.delete_count, 0)) as row_count
    from ducklake_data_file as data_files
    left join deleted on deleted.data_file_id = data_files.data_file_id
    where data_files.begin_snapshot <= :snapshot and coalesce(data_files.end_snapshot, :snapshot + 1) > :snapshot
    group by data_files.table_id
)
select
    present.name,
    coalesce(filled.row_count, 0) as row_count,
    max(present.begin_snapshot, coalesce(written.last_write, 0)) as last_change,
    max(shaped.shaped_at, present.begin_snapshot) as shaped_at,
    present.table_id in (select table_id from ducklake_table_stats) as was_filled
from present
join shaped using (table_id)
left join filled using (table_id)
left join written using (table_id)
order by name
