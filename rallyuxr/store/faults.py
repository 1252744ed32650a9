"""Where the cloud clients' errors become domain errors: here and nowhere else."""

import random
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from rallyuxr.errors import Conflict, Forbidden, InvalidInput, NotConfigured, NotFound, RallyError, Unavailable

ATTEMPTS = 8
FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 1.0
BUSY = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "SlowDown",
        "ThrottlingError",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
NOT_DEPLOYED = frozenset(
    {"ResourceNotFoundException", "NoSuchBucket", "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}
)
REFUSED = frozenset({"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnrecognizedClientException"})


class ConditionFailed(Conflict):
    """A write's condition did not hold, so nothing was written; `failed` counts its writes from 0."""

    def __init__(self, failed: tuple[int, ...] = (0,)) -> None:
        super().__init__("The stored item is not in the state this change needs; nothing was written.")
        self.failed = failed


def call(operation: Callable[..., Any], /, **arguments: Any) -> Any:
    """Call the cloud; wait and try again while it is busy, and raise only domain errors.

    Raises:
        ConditionFailed: a condition did not hold.
        Unavailable: no answer, or still busy after `ATTEMPTS` attempts.
        InvalidInput, Forbidden, NotConfigured: what the cloud refused, and why.
    """
    for attempt in range(ATTEMPTS):
        try:
            return operation(**arguments)
        except ClientError as error:
            if not _busy(error):
                raise _domain_error(error) from error
        except NoCredentialsError as error:
            raise NotConfigured(
                "No AWS credentials were found; the embedded cloud takes any, such as test."
            ) from error
        except BotoCoreError as error:
            raise Unavailable(
                f"The cloud did not answer: {error}. Try again; check that it runs.", internal=True
            ) from error
        pause(attempt)
    raise Unavailable(f"The cloud was too busy for {ATTEMPTS} attempts; try again in a moment.")


def pause(attempt: int) -> None:
    """Wait a random time below a bound that doubles with each attempt (full jitter)."""
    time.sleep(random.uniform(0, min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**attempt)))


def _reasons(error: ClientError) -> list[str]:
    """Why each write of a cancelled transaction was refused; empty for other errors."""
    return [reason.get("Code") or "None" for reason in error.response.get("CancellationReasons", [])]


def _busy(error: ClientError) -> bool:
    reasons = set(_reasons(error)) - {"None"}
    if reasons:
        return reasons <= BUSY
    return _code(error) in BUSY


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


def _domain_error(error: ClientError) -> RallyError:
    code, message = _code(error), str(error.response.get("Error", {}).get("Message", error))
    failed = tuple(place for place, reason in enumerate(_reasons(error)) if reason == "ConditionalCheckFailed")
    if failed or code in ("ConditionalCheckFailedException", "PreconditionFailed", "ConditionalRequestConflict"):
        return ConditionFailed(failed or (0,))
    if code == "NoSuchKey":
        return NotFound(message)
    if code in NOT_DEPLOYED:
        return NotConfigured(
            f"This stage is not deployed completely ({code}: {message}). Run `python -m infra apply` for it.",
            internal=True,
        )
    if code in REFUSED:
        return Forbidden(f"The cloud refused this: {message}", internal=True)
    if code in ("ValidationException", "ValidationError", "TransactionCanceledException", "InvalidParameterValue"):
        return InvalidInput(f"The cloud cannot store this: {message}", internal=True)
    return Unavailable(f"The cloud answered {code}: {message}", internal=True)
