"""Calls that AWS refuses for some seconds after what they need was made."""

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 2.0


def once_possible(call: Callable[[], Any], unsettled: Callable[[ClientError], bool]) -> None:
    """Make the call again while its error says that something is still settling, for a minute at most."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            call()
            return
        except ClientError as error:
            if not unsettled(error) or time.monotonic() > deadline:
                raise
        time.sleep(PAUSE_SECONDS)


def role_unsettled(error: ClientError) -> bool:
    """Whether Lambda does not know yet what IAM was told about a role."""
    return error.response["Error"]["Code"] == "InvalidParameterValueException" and "role" in str(error)


def backups_unsettled(error: ClientError) -> bool:
    """Whether a new table's backups are still being made ready."""
    return error.response["Error"]["Code"] == "ContinuousBackupsUnavailableException"
