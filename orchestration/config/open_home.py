"""The home, opened from the settings. Imports no assets, so that searches and lookups start fast."""

from orchestration.config.settings import Settings
from warehouse.home import Home


def open_home(settings: Settings) -> Home:
    """Return the home that the settings name."""
    return Home(settings.home.absolute(), settings.warehouse, settings.feature_view, settings.source)
