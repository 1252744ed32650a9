"""Where the deployment is: read from the environment once per process, on demand, never at import.

| variable                 | meaning                                                                |
|--------------------------|------------------------------------------------------------------------|
| `RALLYUXR_STAGE`         | names a deployed stage; needed to reach a real AWS account             |
| `AWS_ENDPOINT_URL`       | an AWS-compatible endpoint, such as the embedded cloud                 |
| `AWS_REGION`             | region (also `AWS_DEFAULT_REGION`); `us-east-1` if unset               |
| `RALLYUXR_DATA_DIR`      | the folder of the embedded cloud's state; `.rallyuxr` if unset         |
"""

import os
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from rallyuxr.errors import NotConfigured

LOCAL_STAGE = "local"
MERCHANT_CLAIM = "merchant_id"
"""A token with this claim reads these merchants through the API, and nothing else anywhere."""


class Settings(BaseModel):
    """The deployment a process talks to. `stage` prefixes every resource name."""

    model_config = ConfigDict(frozen=True)

    stage: str = Field(default=LOCAL_STAGE, pattern=r"^[a-z][a-z0-9-]{0,19}$")
    region: str = "us-east-1"
    endpoint_url: str | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings.

        Raises:
            NotConfigured: neither an endpoint nor a stage is named, so the process would reach
                whatever AWS account the machine's credentials open.
        """
        stage, endpoint = environ.get("RALLYUXR_STAGE"), environ.get("AWS_ENDPOINT_URL")
        if not stage and not endpoint:
            raise NotConfigured(
                "No deployment is named. Set AWS_ENDPOINT_URL to a running embedded cloud (`make run` starts one), "
                "or RALLYUXR_STAGE to the name of a stage deployed to AWS."
            )
        region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        return cls(stage=stage or LOCAL_STAGE, region=region, endpoint_url=endpoint)

    def resource(self, name: str) -> str:
        """The deployed name of a table, function or queue: `rallyuxr-{stage}-{name}`."""
        return f"rallyuxr-{self.stage}-{name}"

    def bucket(self, account_id: str) -> str:
        """The deployed name of the bucket; unique in the world by account and region."""
        return f"rallyuxr-{self.stage}-{account_id}-{self.region}"
