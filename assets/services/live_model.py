"""The live model: whether a model can be used on the current catalog, and the model that searches use now."""

from dataclasses import replace

from assets.run_context import RunContext
from assets.services.serving_model import ServingModel
from assets.services.training_arrays import columns_of
from models.encoder.loading import can_open
from models.errors import ModelError
from models.ranking.ranker_files import read_ranker
from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError


def unservable_reason(run_context: RunContext, model_id: str, ranker_id: str = "") -> str | None:
    """Return why a model, with its ranker if it has one, cannot be used on the current catalog; None if it can."""
    home = run_context.home
    try:
        if ranker_id:
            read_ranker(home.rankers / ranker_id)
        model = ServingModel(run_context, model_id)  # not cached: its files may have changed
        columns = {*model.product_columns, *model.query_columns}
    except ModelError as error:
        return str(error)
    if not can_open(run_context.encoder, home.encoders, model.texts.fingerprint):
        return f"its encoder {model.texts.fingerprint} is not in {home.encoders}"
    known = {*CONTRACTS["features.products"].columns, *columns_of(run_context, "product")}
    known |= {*CONTRACTS["features.queries"].columns, *columns_of(run_context, "query", "context")}
    missing = sorted(columns - known)
    return f"the features {', '.join(missing)} that the model reads no longer exist" if missing else None


def pin_live_model(run_context: RunContext) -> RunContext:
    """Return the context of a run that uses the live model and its ranker.

    Raises:
        WarehouseError: There is no live model, or it or its ranker cannot be used on the current catalog.
    """
    live = run_context.home.releases.live()
    if live is None:
        raise WarehouseError("no model is live", "train the first model with: stockroom build")
    reason = unservable_reason(run_context, live.model_id, live.ranker_id)
    if reason:
        raise WarehouseError(
            f"the live model {live.model_id} cannot be used on the current catalog: {reason}",
            "train a new model with: stockroom build",
        )
    return replace(run_context, pinned_model=live.model_id, pinned_ranker=live.ranker_id)


def live_champion(run_context: RunContext, challenger: str, ranker: str | None = None) -> ServingModel | None:
    """Return the live model if it can be used on the current catalog and differs from the challenger, else None.

    With `ranker`, the challenger's, it also counts as another one if its ranker is another.
    """
    live = run_context.home.releases.live()
    if live is None or unservable_reason(run_context, live.model_id, live.ranker_id):
        return None
    if live.model_id == challenger and ranker in (None, live.ranker_id):
        return None
    return ServingModel.of(run_context, live.model_id)
