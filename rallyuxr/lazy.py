"""Names of a package that are loaded when they are first used (PEP 562), so that importing it costs nothing."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any


def homes(names_by_module: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """The module of each name."""
    return {name: module for module, names in names_by_module.items() for name in names}


def load(name: str, homes: Mapping[str, str], namespace: dict[str, Any]) -> Any:
    """What a package's `__getattr__` answers: the name from its module, kept in the package's `namespace`.

    Raises:
        AttributeError: the package has no such name.
    """
    if name not in homes:
        raise AttributeError(f"module {namespace['__name__']!r} has no attribute {name!r}")
    namespace[name] = getattr(import_module(homes[name]), name)
    return namespace[name]
