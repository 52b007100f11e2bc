"""Addresses: a socket on an address of this machine, or an error that says how to choose another one."""

import errno
import socket

from warehouse.errors import WarehouseError

_HOST_HINT = "give an address of this machine: --host 127.0.0.1 for this machine alone, --host 0.0.0.0 for its networks"
_BACKLOG = 2048
_PORT_FAULTS = (errno.EADDRINUSE, errno.EACCES)


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address, and that child processes may inherit.

    Raises:
        WarehouseError: The host is not an address of this machine, or the port is not available.
    """
    if not host:
        raise WarehouseError("the host is empty", _HOST_HINT)
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
        listener.set_inheritable(True)
    except (OSError, UnicodeError) as error:
        listener.close()
        if isinstance(error, socket.gaierror | UnicodeError):
            raise WarehouseError(f"the host name {host!r} cannot be resolved", _HOST_HINT) from error
        if error.errno not in _PORT_FAULTS:
            raise WarehouseError(f"the host {host} is not an address of this machine", _HOST_HINT) from error
        raise WarehouseError(
            f"cannot listen on {host}:{port}: {error.strerror}", "choose another port: --port N"
        ) from error
    return listener
