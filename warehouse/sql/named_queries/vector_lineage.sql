-- The lineage of a product's vector: the path from each of its features and texts to the columns of the input files.
-- Columns: feature, way, file, file_column
with recursive
way as (
    select
        concat(source_table, '.', source_column) as feature,
        concat(table_name, '.', column_name, ' < ', source_table, '.', source_column) as way,
        source_table,
        source_column,
        1 as steps
    from registry.lineage
    where table_name = 'vectors.products' and column_name = 'vector'
    union
    select
        way.feature,
        concat(way.way, ' < ', lineage.source_table, '.', lineage.source_column),
        lineage.source_table,
        lineage.source_column,
        way.steps + 1
    from way
    join registry.lineage as lineage
        on lineage.table_name = way.source_table and lineage.column_name = way.source_column
    where way.steps < 20
)
select
    feature,
    way,
    source_table as file,
    source_column as file_column
from way
where source_table not in (select table_name from registry.lineage)
order by feature, way
