"""The fitted table: the vocabulary that is fitted on the train split before any feature is computed."""

from assets.tables.features import feature_asset

fitted_vocabulary = feature_asset("fitted.vocabulary")
