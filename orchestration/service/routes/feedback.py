"""`POST /feedback`: what a visitor was shown and did after a query."""

from fastapi import APIRouter

from orchestration.config.serve import ServeSettings
from orchestration.service.answers import FeedbackAnswer, FeedbackRequest
from orchestration.service.feedback import FeedbackLog
from orchestration.service.limits import Workers
from orchestration.service.problems import Problem, refuse_read_only
from orchestration.service.release_follower import ReleaseFollower


def router(live: ReleaseFollower, workers: Workers, settings: ServeSettings) -> APIRouter:
    """Return the route, which refuses every request unless `settings.feedback` is set."""
    routes = APIRouter(tags=["feedback"])
    log = FeedbackLog(live.home.root, settings.max_feedback_mb)

    @routes.post("/feedback", summary="Keep what a visitor was shown and did")
    async def post(body: FeedbackRequest) -> FeedbackAnswer:
        """Keep impressions, clicks, carts and orders of products, in the form that a source of clicks reads."""
        if not settings.feedback:
            raise Problem(403, "this service keeps no feedback", "start it with STOCKROOM_SERVE__FEEDBACK=true")
        refuse_read_only(live.home.root)
        events = [(each.key, each.event, each.position) for each in body.events]
        return FeedbackAnswer(kept=await workers.run(lambda: log.keep(body.query, events)))

    return routes
