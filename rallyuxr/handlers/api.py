"""The Lambda behind the HTTP API: the same application as under uvicorn."""

from mangum import Mangum

from rallyuxr.api.app import app

handler = Mangum(app, lifespan="off")
