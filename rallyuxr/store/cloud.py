"""The cloud clients of one deployment, made once, on demand, and shared by threads."""

from functools import cached_property
from threading import Lock
from typing import Any

from botocore.config import Config
from botocore.session import Session

from rallyuxr.settings import Settings
from rallyuxr.store.faults import call

CLIENT_CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 4},
    connect_timeout=5,
    read_timeout=60,
    max_pool_connections=50,
    s3={"addressing_style": "path"},
)
SIGNED = Config(signature_version="s3v4")
"""Unless told, botocore signs links in some regions as no bucket made since 2020 takes them."""


class Cloud:
    """Clients by service name; the first use of each makes it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = Lock()
        self._session = Session()
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """The botocore client of `service`."""
        with self._lock:
            if service not in self._clients:
                config = CLIENT_CONFIG.merge(SIGNED) if service == "s3" else CLIENT_CONFIG
                self._clients[service] = self._session.create_client(
                    service, self.settings.region, endpoint_url=self.settings.endpoint_url, config=config
                )
            return self._clients[service]

    @cached_property
    def bucket(self) -> str:
        """The deployment's bucket."""
        account = self.call("sts", "get_caller_identity")["Account"]
        return self.settings.bucket(account)

    def call(self, service: str, operation: str, **arguments: Any) -> Any:
        """Call one operation; see `rallyuxr.store.faults.call` for what is raised."""
        return call(getattr(self.client(service), operation), **arguments)
