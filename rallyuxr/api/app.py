"""The REST API: one application, on Lambda through Mangum and on a laptop under uvicorn."""

from typing import Any

from fastapi import FastAPI

from rallyuxr.api import experiments, exports, failures, metric_values, orders, planning, system
from rallyuxr.api.bodies import BoundedBody
from rallyuxr.api.cors import CrossOrigin
from rallyuxr.api.dependencies import deployment
from rallyuxr.api.idempotency import IdempotentPosts
from rallyuxr.version import __version__

DESCRIPTION = """What was a product change worth, and how sure are we?

Every answer is `{"success": true, "data": ...}` or `{"success": false, "error": {...}}`; fields without a value
are left out, and unknown fields are refused. Times are ISO 8601 in UTC, windows half-open. Except on loopback a
bearer token (JWT) is needed, whose role is viewer (reads), analyst (also experiments, data and orders) or admin
(also prices and failures)."""


class RestApi(FastAPI):
    """FastAPI, described as its callers see it."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, made when it is first asked for."""
        if self.openapi_schema is None:
            from rallyuxr.api.description import described  # its examples are not for every cold start

            self.openapi_schema = described(super().openapi())
        return self.openapi_schema


def create_app() -> FastAPI:
    """Build the application; the deployment is connected at the first request."""
    app = RestApi(
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
    app.add_middleware(CrossOrigin)
    return app


app = create_app()
