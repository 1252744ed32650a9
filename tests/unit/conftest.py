"""Unit tests know no deployment, whatever tests ran before them in the same process."""

import pytest


@pytest.fixture(autouse=True)
def _no_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "RALLYUXR_STAGE"):
        monkeypatch.delenv(name, raising=False)
