-- Refused rows: the number of rows by table and violated rule, with an example.
-- Columns: table_name, rule, rows, example_key, example
select
    "table" as table_name,
    rule,
    count(*) as rows,
    min(key) as example_key,
    arg_min(row, (key, id)) as example
from quarantine.rows
group by all
order by rows desc, table_name, rule
