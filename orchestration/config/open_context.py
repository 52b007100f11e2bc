"""How settings become the objects that assets and commands work with."""

from assets.run_context import RunContext
from orchestration.config.settings import Settings
from warehouse.home import Home


def open_home(settings: Settings) -> Home:
    """Return the home that the settings name."""
    return Home(settings.home.absolute(), settings.warehouse, settings.feature_view)


def open_run_context(settings: Settings) -> RunContext:
    """Return the run context that the settings describe."""
    return RunContext(
        home=open_home(settings),
        encoder=settings.encoder,
        tower=settings.tower,
        training=settings.training,
        mining=settings.mining,
        bm25=settings.bm25,
        monitoring=settings.monitoring,
        release=settings.release,
        vacuum=settings.vacuum,
        raw=settings.raw,
    )
