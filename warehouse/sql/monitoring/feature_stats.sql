-- The statistics of every feature, from the table of value counts.
with
ranked as (
    select
        *,
        sum(n) over (partition by column_name, locale order by number rows unbounded preceding) as up_to,
        sum(n) over (partition by column_name, locale) as value_count,
        row_number() over (partition by column_name, locale order by n desc, text) as place
    from value_counts
    where text is not null
),
totals as (
    select column_name, locale, any_value(kind) as kind, sum(n) as rows, coalesce(sum(n) filter (text is null), 0) as nulls
    from value_counts
    group by all
),
means as (
    select column_name, locale, sum(number * n order by number) / sum(n) as mean
    from ranked
    where number is not null
    group by all
),
moments as (
    select
        column_name,
        locale,
        any_value(mean) as mean,
        sqrt(sum(n * (number - mean) ** 2 order by number) / nullif(sum(n) - 1, 0)) as deviation,
        min(number) as minimum,
        min(number) filter (up_to >= 0.01 * value_count) as q01,
        min(number) filter (up_to >= 0.05 * value_count) as q05,
        min(number) filter (up_to >= 0.25 * value_count) as q25,
        min(number) filter (up_to >= 0.5 * value_count) as q50,
        min(number) filter (up_to >= 0.75 * value_count) as q75,
        min(number) filter (up_to >= 0.95 * value_count) as q95,
        min(number) filter (up_to >= 0.99 * value_count) as q99,
        max(number) as maximum
    from ranked
    join means using (column_name, locale)
    where number is not null
    group by all
),
cuts as (
    select column_name, locale, cut, min(number) filter (up_to >= cut * value_count / $bins) as upper
    from ranked, range(1, $bins::bigint) as cuts(cut)
    where kind = 'numeric'
    group by all
),
edges as (
    select column_name, locale, list_prepend(min(minimum), list_sort(list(distinct upper))) as edges
    from cuts
    join moments using (column_name, locale)
    group by all
),
tops as (
    select
        column_name,
        locale,
        count(*) as distinct_count,
        list(struct_pack(value := text, rows := n) order by place) filter (place <= $top_values) as top_values
    from ranked
    group by all
),
binning as (
    select
        totals.*,
        coalesce(distinct_count, 0) as distinct_count,
        coalesce(top_values, []) as top_values,
        coalesce(edges, []) as edges
    from totals
    left join tops using (column_name, locale)
    left join edges using (column_name, locale)
),
binned as (
    select
        column_name,
        locale,
        bin_of(binning.kind, edges, list_transform(top_values, lambda top: top.value), number, text) as bin,
        sum(n) as n
    from value_counts
    join binning using (column_name, locale)
    group by all
),
shares as (
    select column_name, locale, list(struct_pack(bin := bin, share := n / rows) order by bin) as bins
    from binned
    join totals using (column_name, locale)
    group by all
)
select
    -- ids
    concat_ws(':', $table_name, $version, column_name, locale) as key,
    $table_name as table_name,
    $version as version,
    column_name,
    locale,
    kind,
    -- numbers
    rows,
    nulls / rows as null_share,
    moments.* exclude (column_name, locale),
    distinct_count,
    -- distributions
    to_json(top_values)::varchar as top_values,
    to_json(edges)::varchar as edges,
    to_json(bins)::varchar as bins
from binning
join shares using (column_name, locale)
left join moments using (column_name, locale)
