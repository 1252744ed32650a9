"""Puts the stack into the embedded cloud, with the program that puts it into AWS."""

import os
from dataclasses import dataclass
from pathlib import Path

from infra.cloud import Cloud
from infra.plan import Change, apply, stack
from infra.resources.api import HttpApi, Tokens
from rallyuxr.local.cloud import Endpoint, ensure_running
from rallyuxr.settings import LOCAL_STAGE, Settings


@dataclass(frozen=True, slots=True)
class Deployment:
    """A stage in an embedded cloud, and what deploying it changed."""

    endpoint: Endpoint
    stage: str
    api_url: str
    changes: tuple[Change, ...]

    def environment(self) -> dict[str, str]:
        """The variables by which a process finds the stage."""
        return {**self.endpoint.environment(), "RALLYUXR_STAGE": self.stage}


def deploy(endpoint: Endpoint, *, stage: str = LOCAL_STAGE, tokens: Tokens | None = None) -> Deployment:
    """Apply the stack to a running embedded cloud; a second time changes nothing."""
    cloud = Cloud(Settings(stage=stage, endpoint_url=endpoint.url), endpoint.keys())
    resources = stack(cloud, tokens)
    changes = apply(resources)
    api = next(resource for resource in resources if isinstance(resource, HttpApi)).find() or {}
    # The address that AWS would give is a name under `localhost`, which not every resolver knows.
    api_url = f"{endpoint.url}/_aws/execute-api/{api['ApiId']}/$default"
    return Deployment(endpoint, stage, api_url, tuple(changes))


def ensure_deployment(data_dir: Path | None = None) -> Deployment | None:
    """A deployment for this process: the one its environment names, else the embedded cloud's.

    With `AWS_ENDPOINT_URL` or `RALLYUXR_STAGE` set nothing is started and None is returned.
    """
    if os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("RALLYUXR_STAGE"):
        return None
    deployment = deploy(ensure_running(data_dir))
    os.environ.update(deployment.environment())
    return deployment
