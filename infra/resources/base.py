"""What every resource answers, so that plan, apply, status and destroy need to know nothing else."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from infra.cloud import Cloud

Properties = Mapping[str, Any]

ABSENT = frozenset(
    {
        "ResourceNotFoundException",
        "NoSuchEntity",
        "NotFoundException",
        "NoSuchBucket",
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
        "NoSuchLifecycleConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
        "ServerSideEncryptionConfigurationNotFoundError",
    }
)


def is_absent(error: ClientError) -> bool:
    """Whether the cloud says that there is no such thing."""
    return error.response["Error"]["Code"] in ABSENT


class Resource(ABC):
    """A thing in the cloud: what is wanted and what is there are read in the same words.

    Two mappings that differ in a key are drift, and `update` is given exactly those keys. `keeps_data`
    marks what a destroy leaves alone unless told otherwise.
    """

    kind: ClassVar[str]
    keeps_data: ClassVar[bool] = False

    def __init__(self, cloud: Cloud, name: str) -> None:
        self.cloud = cloud
        self.name = name

    @property
    def title(self) -> str:
        return f"{self.kind} {self.name}"

    @abstractmethod
    def wanted(self) -> Properties:
        """What should be there."""

    @abstractmethod
    def read(self) -> Properties | None:
        """What is there; None if nothing is."""

    @abstractmethod
    def create(self) -> None:
        """Make it exist; what creation cannot set, `update` is asked for next."""

    def update(self, changed: Properties) -> None:  # noqa: ARG002
        """Set the properties that differ; by default by putting the whole again."""
        self.create()

    @abstractmethod
    def delete(self) -> None:
        """Make it disappear."""
