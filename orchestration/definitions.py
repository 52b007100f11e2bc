"""The module that Dagster loads: definitions for the home that the environment names, if any."""

from orchestration.config.settings import load_settings
from orchestration.defs.build_definitions import assemble

_settings = load_settings()
defs = assemble(_settings.feature_view, _settings.automation)
