-- The drift of each feature in the table of value counts from the reference version, over the bins of the reference.
-- A share counts as at least 0.0001, so that a bin with values of only one version adds a finite amount.
with
reference_stats as (
    select
        column_name,
        locale,
        kind,
        rows as reference_rows,
        from_json(edges, '["DOUBLE"]') as edges,
        list_transform(from_json(top_values, '[{"value": "VARCHAR"}]'), lambda top: top.value) as top,
        from_json(bins, '[{"bin": "VARCHAR", "share": "DOUBLE"}]') as bins
    from monitoring.feature_stats
    where table_name = $table_name and version = $reference_version
),
before as (
    select column_name, locale, unnest(bins, recursive := true)
    from reference_stats
),
totals as (
    select column_name, locale, sum(n) as rows
    from value_counts
    group by all
),
now as (
    select column_name, locale, bin_of(reference_stats.kind, edges, top, number, text) as bin, sum(n) / any_value(rows) as share
    from value_counts
    join reference_stats using (column_name, locale)
    join totals using (column_name, locale)
    group by all
),
paired as (
    select
        column_name,
        locale,
        bin,
        coalesce(before.share, 0) as reference,
        coalesce(now.share, 0) as share,
        greatest(coalesce(before.share, 0), 0.0001) as p,
        greatest(coalesce(now.share, 0), 0.0001) as q
    from before
    full join now using (column_name, locale, bin)
),
moved as (
    select
        column_name,
        locale,
        sum((q - p) * ln(q / p) order by bin) as psi,
        list(struct_pack(bin := bin, reference := reference, share := share) order by bin) as bins
    from paired
    group by all
)
select
    -- ids
    concat_ws(':', $table_name, $version, $reference, coalesce($model_id, $reference_version), column_name, locale) as key,
    $table_name as table_name,
    $version as version,
    $reference as reference,
    $reference_version as reference_version,
    $model_id as model_id,
    column_name,
    locale,
    -- numbers
    rows,
    reference_rows,
    psi,
    -- distributions
    to_json(moved.bins)::varchar as bins
from moved
join totals using (column_name, locale)
join reference_stats using (column_name, locale)
