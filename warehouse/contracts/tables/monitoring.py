"""Contracts of the monitoring tables: statistics of the features in each version of their table, and their drift."""

import dataframely as dy

from warehouse.contracts.contract import about, key_column


class MonitoringVersions(dy.Schema):
    """One row per recorded version of a feature table: its content, and the first snapshot with that content.

    The version at a checkpoint of registry.snapshots is the last one with a since_snapshot at or before the checkpoint. A build
    records versions. `stockroom apply` does not, so the changes of its delta files are in the version of the next build.
    """

    key = key_column("table_name:number")
    table_name = dy.String(nullable=False, metadata=about("name of the feature table"))
    number = dy.Int64(nullable=False, metadata=about("number of the version within the table, from 1"))
    version = dy.String(nullable=False, metadata=about("data version of the table, a fingerprint of its content"))
    since_snapshot = dy.Int64(nullable=False, metadata=about("id of the first lake snapshot with this content"))


class MonitoringFeatureStats(dy.Schema):
    """One row per version of a feature table, column and locale: the statistics of the column.

    Tables of equal content have the same version. The quantile q is the smallest value of the column that at least the share
    q of the values does not exceed. A flag counts as 0 or 1.
    """

    key = key_column("table_name:version:column_name:locale")
    table_name = dy.String(nullable=False, metadata=about("name of the feature table"))
    version = dy.String(nullable=False, metadata=about("version of the table, as in monitoring.versions"))
    column_name = dy.String(nullable=False, metadata=about("name of the feature"))
    locale = dy.String(nullable=False, metadata=about("locale, such as us or en-us; all: every locale"))
    kind = dy.String(nullable=False, metadata=about("numeric, flag or categorical"))
    rows = dy.Int64(nullable=False, metadata=about("number of rows, including those without a value"))
    null_share = dy.Float64(nullable=False, metadata=about("share of the rows without a value, 0 to 1"))
    mean = dy.Float64(
        nullable=True, metadata=about("mean of the values, in the feature's unit; null for a categorical feature")
    )
    deviation = dy.Float64(
        nullable=True, metadata=about("sample standard deviation of the values, in the feature's unit")
    )
    minimum = dy.Float64(nullable=True, metadata=about("smallest value"))
    q01 = dy.Float64(nullable=True, metadata=about("quantile 0.01"))
    q05 = dy.Float64(nullable=True, metadata=about("quantile 0.05"))
    q25 = dy.Float64(nullable=True, metadata=about("quantile 0.25"))
    q50 = dy.Float64(nullable=True, metadata=about("quantile 0.5, the median"))
    q75 = dy.Float64(nullable=True, metadata=about("quantile 0.75"))
    q95 = dy.Float64(nullable=True, metadata=about("quantile 0.95"))
    q99 = dy.Float64(nullable=True, metadata=about("quantile 0.99"))
    maximum = dy.Float64(nullable=True, metadata=about("largest value"))
    distinct_count = dy.Int64(nullable=False, metadata=about("number of distinct values, without null"))
    top_values = dy.String(nullable=False, metadata=about("most frequent values as a JSON list: [{value, rows}, …]"))
    edges = dy.String(
        nullable=False,
        metadata=about("smallest value and the upper bounds of the bins, as a JSON list; empty unless numeric"),
    )
    bins = dy.String(nullable=False, metadata=about("share of the rows in each bin as a JSON list: [{bin, share}, …]"))


class MonitoringDrift(dy.Schema):
    """One row per version of a feature table, column, locale and reference: the drift of the column from the reference.

    Drift is the population stability index (PSI), the sum over bins of (share - reference share) * ln(share / reference share).
    A PSI below 0.1 usually counts as no drift, and one above 0.25 as much drift. A version is not compared with itself.
    """

    key = key_column("table_name:version:reference:model_id or reference_version:column_name:locale")
    table_name = dy.String(nullable=False, metadata=about("name of the feature table"))
    version = dy.String(nullable=False, metadata=about("version of the table, as in monitoring.versions"))
    reference = dy.String(
        nullable=False,
        metadata=about("previous: the version before this one; training: the version that a model was trained on"),
    )
    reference_version = dy.String(nullable=False, metadata=about("version of the table that is the reference"))
    model_id = dy.String(
        nullable=True, metadata=about("id of the model whose training version is the reference; null for previous")
    )
    column_name = dy.String(nullable=False, metadata=about("name of the feature"))
    locale = dy.String(nullable=False, metadata=about("locale, such as us or en-us; all: every locale"))
    rows = dy.Int64(nullable=False, metadata=about("number of rows of the version"))
    reference_rows = dy.Int64(
        nullable=False, metadata=about("number of rows of the reference; with few rows the PSI is unreliable")
    )
    psi = dy.Float64(nullable=False, metadata=about("population stability index, 0 or more"))
    bins = dy.String(
        nullable=False,
        metadata=about("shares of both versions in each bin as a JSON list: [{bin, reference, share}, …]"),
    )
