"""Connections to receivers: a name is resolved once, to addresses that are allowed, and all is over in time."""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, NamedTuple, TypeAlias

from htmengine.alerts.targets.api import TIMEOUT_S

IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA: Final = frozenset(
    ipaddress.ip_address(address)
    for address in ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
)
"""Where clouds tell machines their credentials, besides 169.254.169.254, which is link-local."""
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
ALLOW: Final = "allow_link_local"
"""The setting that allows these addresses."""


class TooLate(TimeoutError):
    """The time that a try has is over; the text says so."""


class Deadline:
    """The time that a try has.

    Parameters
    ----------
    timer : seconds that only grow.
    """

    def __init__(self, seconds: float = TIMEOUT_S, *, timer: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._timer = timer
        self._end = timer() + seconds

    @property
    def passed(self) -> bool:
        """Whether no time is left."""
        return self._timer() >= self._end

    def left_s(self) -> float:
        """Return how much is left. Raises TooLate for none."""
        left = self._end - self._timer()
        if left <= 0:
            raise self.error()
        return left

    def error(self) -> TooLate:
        """Return what to raise when it has passed."""
        return TooLate(f"it took longer than {self.seconds:g} s")


class Endpoint(NamedTuple):
    """Where to connect: what `socket` needs for it."""

    family: int
    address: tuple[Any, ...]


@contextmanager
def connected(host: str, port: int, deadline: Deadline, *, allow_link_local: bool) -> Iterator[socket.socket]:
    """Connect to the first address of a host that answers.

    The connection is cut when the deadline passes, whatever waits on it, by whomever the socket is wrapped meanwhile: reading
    and writing then raise TooLate out of the block.

    Raises
    ------
    OSError : no address answers, or none is allowed.
    """
    sock = _connect(resolve(host, port, deadline, allow_link_local=allow_link_local), deadline)
    with sock, sock.dup() as guarded:
        # A limit for each read would let a receiver that sends a byte now and then take for ever.
        timer = threading.Timer(deadline.left_s(), _cut, [guarded])
        timer.daemon = True
        timer.start()
        try:
            yield sock
        except Exception as error:
            if deadline.passed:
                raise deadline.error() from error
            raise
        else:
            if deadline.passed:  # to some readers, a connection that was cut looks like the end of an answer
                raise deadline.error()
        finally:
            timer.cancel()
            timer.join()


def _cut(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def resolve(host: str, port: int, deadline: Deadline, *, allow_link_local: bool) -> list[Endpoint]:
    """Return the addresses of a host that are allowed, in the order of the system.

    Raises
    ------
    OSError : the name is not known, no address is allowed, or the resolver takes too long.
    """
    found: queue.SimpleQueue[list[Endpoint] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.put([Endpoint(family, address) for family, _, _, _, address in answers])
        except OSError as error:
            found.put(OSError(f"the host {host} is not found: {error.strerror or error}"))
        except UnicodeError:
            found.put(OSError(f"the host {host} is not found: it is no name"))

    # The resolver has no limit of its own, and cannot be stopped.
    threading.Thread(target=ask, name="alert_resolve", daemon=True).start()
    try:
        answer = found.get(timeout=deadline.left_s())
    except queue.Empty:
        raise TooLate(f"the host {host} is not found within {deadline.seconds:g} s") from None
    if isinstance(answer, OSError):
        raise answer
    if allow_link_local:
        return answer
    allowed = [one for one in answer if refusal(one.address[0]) is None]
    if not allowed:
        raise OSError(f"{host} is {refusal(answer[0].address[0])}; {ALLOW} = true allows it")
    return allowed


def _connect(endpoints: list[Endpoint], deadline: Deadline) -> socket.socket:
    failure: OSError | None = None
    for place, endpoint in enumerate(endpoints):
        sock = socket.socket(endpoint.family, socket.SOCK_STREAM)
        try:
            # What is left is shared by the addresses that are left.
            sock.settimeout(deadline.left_s() / (len(endpoints) - place))
            sock.connect(endpoint.address)
            sock.settimeout(deadline.left_s())
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    assert failure is not None
    raise failure


def refusal(address: str) -> str | None:
    """Return what an address is that nothing is sent to unless that is allowed; None for all others."""
    found = _plain(ipaddress.ip_address(address))
    if found in _METADATA:
        return f"{found}, where a cloud keeps credentials"
    if found.is_link_local:
        return f"{found}, a link-local address"
    if found.is_multicast or found.is_unspecified or found == ipaddress.ip_address("255.255.255.255"):
        return f"{found}, which is no machine's address"
    return None


def _plain(address: IpAddress) -> IpAddress:
    """Return the address that one in another's clothes leads to."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.scope_id is not None:
        return ipaddress.IPv6Address(int(address))
    return address
