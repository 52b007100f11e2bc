"""The module that Dagster loads: definitions for the home that the environment names, if any."""

from orchestration.config.settings import load_settings
from orchestration.defs.build_definitions import assemble
from warehouse.declaration.attributes import all_feature_views

_settings = load_settings()
defs = assemble(all_feature_views(_settings.source, _settings.feature_view), _settings.automation)
