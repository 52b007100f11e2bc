-- The statistics of every feature at each checkpoint, a snapshot that ended a successful run.
-- Columns: snapshot, ended_at, table_name, column_name, rows, null_share, mean, deviation, q50, distinct_count
with
tables as (
    select distinct table_name from monitoring.versions
),
versions_at_checkpoints as (
    select snapshots.snapshot, snapshots.ended_at, versions.table_name, versions.version
    from (select * from registry.snapshots cross join tables) as snapshots
    asof join monitoring.versions as versions
        on versions.table_name = snapshots.table_name and versions.since_snapshot <= snapshots.snapshot
)
select
    snapshot,
    ended_at,
    table_name,
    column_name,
    rows,
    null_share,
    mean,
    deviation,
    q50,
    distinct_count
from versions_at_checkpoints
join monitoring.feature_stats using (table_name, version)
where locale = 'all'
order by table_name, column_name, snapshot
