"""What routes are given: the deployment they work on, in the name of the caller."""

from dataclasses import replace
from functools import lru_cache
from typing import Annotated

from fastapi import Depends

from rallyuxr.api.failures import request_id
from rallyuxr.api.security import AnyCaller
from rallyuxr.services.context import Context, connect

RequestId = Annotated[str, Depends(request_id)]


@lru_cache(maxsize=1)
def deployment() -> Context:
    """The deployment named by the environment, connected once per process."""
    return connect()


def caller_context(caller: AnyCaller) -> Context:
    """The deployment, acting in the caller's name."""
    return replace(deployment(), actor=caller.name)


Deployment = Annotated[Context, Depends(caller_context)]
