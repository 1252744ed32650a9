"""No test reaches beyond this machine, and none inherits the developer's cloud."""

import os
import socket
from typing import Any

import pytest
from hypothesis import settings

for name in [name for name in os.environ if name.startswith(("AWS_", "RALLYUXR_"))]:
    del os.environ[name]
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull

settings.register_profile("untimed", deadline=None)  # how long an example takes is the machine's affair
settings.load_profile("untimed")

_connect = socket.socket.connect


def _connect_to_loopback(self: socket.socket, address: Any) -> None:
    host = address[0] if isinstance(address, tuple) else "localhost"
    if host not in {"localhost", "::1"} and not str(host).startswith("127."):
        pytest.fail(f"A test tried to reach {host}; tests talk to this machine only.")
    _connect(self, address)


socket.socket.connect = _connect_to_loopback  # type: ignore[method-assign]
