"""A part of a lock: some packages with all they need, every file's hash included."""

import re
from collections.abc import Collection

_BLOCK = re.compile(r"(?m)^(?=[a-z0-9])")
_NAME = re.compile(r"[a-z0-9._-]+")
_NEEDED_BY = re.compile(r"^ +# (?:via )? *([a-z0-9._-]+)$", re.MULTILINE)


def part_of_lock(lock: str, packages: Collection[str]) -> str:
    """The lines of `packages` and of what they need, directly or not.

    A compiled lock says below each package which others need it (`# via`), so no index is asked.

    Examples:
        >>> lock = '''
        ... a==1 --hash=sha256:aa
        ...     # via b
        ... b==2 --hash=sha256:bb
        ...     # via
        ...     #   c
        ...     #   d
        ... c==3 --hash=sha256:cc
        ... e==4 --hash=sha256:ee
        ...     # via f
        ... '''
        >>> [line for line in part_of_lock(lock, ["c"]).splitlines() if "==" in line]
        ['a==1 --hash=sha256:aa', 'b==2 --hash=sha256:bb', 'c==3 --hash=sha256:cc']
    """
    blocks = [block for block in _BLOCK.split(lock) if _NAME.match(block)]
    wanted, found = set(packages), set[str]()
    while wanted != found:
        found = set(wanted)
        wanted |= {_name(block) for block in blocks if found & set(_NEEDED_BY.findall(block))}
    return "".join(block for block in blocks if _name(block) in wanted)


def _name(block: str) -> str:
    match = _NAME.match(block)
    return match[0] if match else ""
