"""What Dagster loads: the definitions for the home of the environment, if there is one."""

from orchestration.assembly import assemble
from orchestration.settings import load_settings

_settings = load_settings()
defs = assemble(_settings.dated, _settings.automation)
