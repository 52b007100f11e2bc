-- The source of every column: all columns of the input files that its values depend on.
-- Columns: table_name, column_name, file, file_columns, steps
with recursive
upwards as (
    select table_name, column_name, source_table, source_column, 1 as steps
    from registry.lineage
    union
    select upwards.table_name, upwards.column_name, lineage.source_table, lineage.source_column, upwards.steps + 1
    from upwards
    join registry.lineage as lineage
        on lineage.table_name = upwards.source_table and lineage.column_name = upwards.source_column
    where upwards.steps < 20
)
select
    table_name,
    column_name,
    source_table as file,
    list_sort(list(distinct source_column)) as file_columns,
    max(steps) as steps
from upwards
where source_table not in (select table_name from registry.lineage)
group by table_name, column_name, source_table
order by table_name, column_name, file
