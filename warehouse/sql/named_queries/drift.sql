-- The drift of every feature from the previous version, and from the training data of the live model; small samples come last.
-- Columns: table_name, column_name, locale, reference, psi, rows, reference_rows
select
    table_name,
    column_name,
    locale,
    reference,
    psi,
    rows,
    reference_rows
from monitoring.drift
semi join (
    select table_name, arg_max(version, number) as version
    from monitoring.versions
    group by table_name
) as newest using (table_name, version)
where reference = 'previous' or model_id = (select arg_max(model_id, release) from vectors.releases)
order by least(rows, reference_rows) < 200, psi desc, table_name, column_name, locale, reference
