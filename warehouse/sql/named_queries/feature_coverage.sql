-- The coverage of each feature, overall and by locale: the share of rows with a value.
-- Columns: table_name, column_name, locale, rows, coverage, distinct_count
select
    stats.table_name,
    stats.column_name,
    stats.locale,
    stats.rows,
    1 - stats.null_share as coverage,
    stats.distinct_count
from monitoring.feature_stats as stats
semi join (
    select table_name, arg_max(version, number) as version
    from monitoring.versions
    group by table_name
) as newest using (table_name, version)
order by coverage, table_name, column_name, locale
