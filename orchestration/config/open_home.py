"""The home, opened from the settings. Imports no assets, so that searches and lookups start fast."""

from orchestration.config.settings import Settings
from warehouse.declaration.attributes import all_feature_views
from warehouse.home import Home


def open_home(settings: Settings) -> Home:
    """Return the home that the settings name."""
    feature_views = all_feature_views(settings.source, settings.feature_view)
    return Home(settings.home.absolute(), settings.warehouse, feature_views, settings.source)
