"""What Dagster loads: the definitions for the home of the environment, if there is one."""

from orchestration.config.settings import load_settings
from orchestration.defs.build_definitions import assemble

_settings = load_settings()
defs = assemble(_settings.feature_view, _settings.automation)
