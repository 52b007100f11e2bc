"""The fitted table: what is learnt from the train split before any feature is computed."""

from assets.tables.features import feature_asset

fitted_vocabulary = feature_asset("fitted.vocabulary")
