"""Python runs this first, by its name: no word of this process leaves the machine, and each attempt is written down.

It knows Python's sockets, by an audit hook, and uvloop, which opens connections without them.
"""

import ipaddress
import os
import sys
from typing import Any

_ATTEMPTS = os.environ["OUTBOUND_ATTEMPTS"]
_LOOKUPS = {"socket.getaddrinfo", "socket.gethostbyname"}


def _stays(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if not isinstance(name, str) or name in ("", "localhost"):  # None is this machine, too
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _refuse(how: str, host: object) -> None:
    if not _stays(host):
        with open(_ATTEMPTS, "a", encoding="utf-8") as attempts:
            attempts.write(f"{how} {host}\n")
        raise ConnectionRefusedError(f"{how} {host}: this process may not leave the machine")


def _watch(event: str, args: tuple[object, ...]) -> None:
    if event in _LOOKUPS:
        _refuse(event, args[0])
    elif event in ("socket.connect", "socket.sendto") and isinstance(args[1], tuple):
        _refuse(event, args[1][0])


sys.addaudithook(_watch)
try:
    import uvloop
except ImportError:
    pass
else:
    _Loop: Any = uvloop.Loop
    _connect, _lookup = _Loop.create_connection, _Loop.getaddrinfo

    async def _create_connection(loop: Any, factory: Any, host: Any = None, port: Any = None, **options: Any) -> Any:
        _refuse("uvloop.create_connection", host)
        return await _connect(loop, factory, host, port, **options)

    async def _getaddrinfo(loop: Any, host: Any, port: Any, **options: Any) -> Any:
        _refuse("uvloop.getaddrinfo", host)
        return await _lookup(loop, host, port, **options)

    _Loop.create_connection, _Loop.getaddrinfo = _create_connection, _getaddrinfo
