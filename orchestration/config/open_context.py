"""The run context of assets and commands, opened from the settings."""

from assets.run_context import RunContext
from orchestration.config.open_home import open_home
from orchestration.config.settings import Settings


def open_run_context(settings: Settings) -> RunContext:
    """Return the run context that the settings describe."""
    return RunContext(
        home=open_home(settings),
        encoder=settings.encoder,
        tower=settings.tower,
        training=settings.training,
        mining=settings.mining,
        bm25=settings.bm25,
        ranking=settings.ranking,
        monitoring=settings.monitoring,
        release=settings.release,
        vacuum=settings.vacuum,
        raw=settings.raw,
        sources=settings.source,
    )
