"""Contracts of the monitoring tables: what the features were in each version, and how far they moved."""

import dataframely as dy

from warehouse.contracts.contract import about, key_column


class MonitoringVersions(dy.Schema):
    """One row per change of a feature table that was counted, from 1 on: which content it had since which snapshot.

    A checkpoint of registry.snapshots saw the last version whose since_snapshot it is not older than, but for what deltas
    changed since: that is counted with the next build.
    """

    key = key_column("table_name:number")
    table_name = dy.String(nullable=False, metadata=about("the feature table"))
    number = dy.Int64(nullable=False, metadata=about("place of the change in the table's history, from 1"))
    version = dy.String(nullable=False, metadata=about("fingerprint of the table's content: its data version"))
    since_snapshot = dy.Int64(nullable=False, metadata=about("the snapshot that wrote this content"))


class MonitoringFeatureStats(dy.Schema):
    """One row per version of a feature table, column and locale.

    Equal content has an equal version and is counted once, however many snapshots hold it. Quantiles are values of the
    column: the smallest one that at least that share of the values does not exceed. Flags count as 0 and 1.
    """

    key = key_column("table_name:version:column_name:locale")
    table_name = dy.String(nullable=False, metadata=about("the feature table"))
    version = dy.String(nullable=False, metadata=about("fingerprint of the table's content, as in monitoring.versions"))
    column_name = dy.String(nullable=False, metadata=about("the feature"))
    locale = dy.String(nullable=False, metadata=about("marketplace, or all"))
    kind = dy.String(nullable=False, metadata=about("numeric, flag or categorical"))
    rows = dy.Int64(nullable=False, metadata=about("rows, missing values included"))
    null_share = dy.Float64(nullable=False, metadata=about("share of the rows without a value, 0 to 1"))
    mean = dy.Float64(nullable=True, metadata=about("mean of the values; null for categories"))
    deviation = dy.Float64(nullable=True, metadata=about("sample standard deviation of the values"))
    minimum = dy.Float64(nullable=True, metadata=about("smallest value"))
    q01 = dy.Float64(nullable=True, metadata=about("quantile 0.01"))
    q05 = dy.Float64(nullable=True, metadata=about("quantile 0.05"))
    q25 = dy.Float64(nullable=True, metadata=about("quantile 0.25"))
    q50 = dy.Float64(nullable=True, metadata=about("quantile 0.5, the median"))
    q75 = dy.Float64(nullable=True, metadata=about("quantile 0.75"))
    q95 = dy.Float64(nullable=True, metadata=about("quantile 0.95"))
    q99 = dy.Float64(nullable=True, metadata=about("quantile 0.99"))
    maximum = dy.Float64(nullable=True, metadata=about("largest value"))
    distinct_count = dy.Int64(nullable=False, metadata=about("distinct values, missing not counted"))
    top_values = dy.String(nullable=False, metadata=about("most frequent values as JSON: [{value, rows}, …]"))
    edges = dy.String(
        nullable=False, metadata=about("smallest value and upper ends of the bins, as a JSON list of numbers")
    )
    bins = dy.String(
        nullable=False, metadata=about("the distribution as JSON: [{bin, share}, …]; drift is held against it")
    )


class MonitoringDrift(dy.Schema):
    """One row per version of a feature table, column, locale and reference: how far the column moved.

    The population stability index (PSI) is the sum over bins of (share - reference share) * ln(share / reference share).
    By custom, below 0.1 nothing moved, and above 0.25 much did. A version is not compared with itself.
    """

    key = key_column("table_name:version:reference:model_id or reference_version:column_name:locale")
    table_name = dy.String(nullable=False, metadata=about("the feature table"))
    version = dy.String(nullable=False, metadata=about("fingerprint of the content that is looked at"))
    reference = dy.String(nullable=False, metadata=about("previous: the version before; training: what a model saw"))
    reference_version = dy.String(nullable=False, metadata=about("fingerprint of the content that it is held against"))
    model_id = dy.String(nullable=True, metadata=about("the model whose training is the reference; null for previous"))
    column_name = dy.String(nullable=False, metadata=about("the feature"))
    locale = dy.String(nullable=False, metadata=about("marketplace, or all"))
    rows = dy.Int64(nullable=False, metadata=about("rows of the version"))
    reference_rows = dy.Int64(nullable=False, metadata=about("rows of the reference; of few rows a PSI says little"))
    psi = dy.Float64(nullable=False, metadata=about("population stability index, 0 and up"))
    bins = dy.String(nullable=False, metadata=about("both distributions as JSON: [{bin, reference, share}, …]"))
