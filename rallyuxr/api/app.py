"""The REST API: one application, on Lambda through Mangum and on a laptop under uvicorn."""

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from rallyuxr.api import experiments, exports, failures, metric_values, orders, planning, system
from rallyuxr.api.dependencies import deployment
from rallyuxr.api.requests import BoundedBody, IdempotentPosts
from rallyuxr.version import __version__

DESCRIPTION = """What was a product change worth, and how sure are we?

Every answer is `{"success": true, "data": ...}` or `{"success": false, "error": {...}}`. Times are ISO 8601 in
UTC, windows half-open. Send an `Idempotency-Key` with any POST to make repeating it safe."""

LOOPBACK = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?"
"""Pages that may call an open API on a laptop. Deployed, the gateway answers for every origin."""


def create_app() -> FastAPI:
    """Build the application; the deployment is connected at the first request."""
    app = FastAPI(
        title="RallyUXR",
        version=__version__,
        description=DESCRIPTION,
        docs_url="/docs",
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    for module in (exports, experiments, metric_values, orders, planning, system):
        for route in module.router.routes:
            route.response_model_exclude_none = True
        app.include_router(module.router)
    failures.install(app)
    app.add_middleware(IdempotentPosts, deployment=deployment)
    app.add_middleware(BoundedBody)
    app.add_middleware(CORSMiddleware, allow_origin_regex=LOOPBACK, allow_methods=["*"], allow_headers=["*"])
    return app


app = create_app()
