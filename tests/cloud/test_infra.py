"""Plan, apply, status and destroy, against the embedded cloud."""

from infra.cloud import Cloud
from infra.plan import apply, plan, stack
from rallyuxr.local import Deployment
from rallyuxr.settings import Settings


def _cloud(deployment: Deployment) -> Cloud:
    settings = Settings(stage=deployment.stage, endpoint_url=deployment.endpoint.url)
    return Cloud(settings, deployment.endpoint.keys())


def test_a_second_apply_does_nothing(deployed: Deployment) -> None:
    resources = stack(_cloud(deployed))
    assert plan(resources) == []
    assert apply(resources) == []
