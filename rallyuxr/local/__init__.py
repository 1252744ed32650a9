"""The embedded cloud: an AWS-compatible server on this machine, for `make run`, the pages and the tests.

Nothing else in `rallyuxr` knows that it exists; they follow `AWS_ENDPOINT_URL`.
"""

from rallyuxr.local.cloud import Endpoint, default_data_dir, ensure_running, keep, release, stop
from rallyuxr.local.deployment import Deployment, deploy, ensure_deployment

__all__ = [
    "Deployment",
    "Endpoint",
    "default_data_dir",
    "deploy",
    "ensure_deployment",
    "ensure_running",
    "keep",
    "release",
    "stop",
]
