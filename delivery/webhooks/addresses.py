"""The addresses of a receiver: public ones only, so that no URL leads into a network of the app or of its platform."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

type Address = IPv4Address | IPv6Address

_IPV6_UNICAST = ip_network("2000::/3")
"""All that has been assigned. Outside of it are IPv4 addresses in IPv6 ones, mapped, compatible or of NAT64."""
_ALSO_REFUSED = tuple(
    map(
        ip_network,
        (
            "168.63.129.16/32",  # Azure's own server in every virtual network
            "192.0.0.0/24",  # protocols, some of them global
            "192.88.99.0/24",  # relays of 6to4
            "2001::/23",  # protocols, among them Teredo, which contains IPv4
            "2002::/16",  # 6to4, which contains IPv4
            "3fff::/20",  # documentation
        ),
    )
)


class NameNotResolved(Exception):
    """There is no address for the name."""


class AddressRefused(Exception):
    """One of the name's addresses is not public."""


def addresses_of(host: str, port: int, *, allow_private: bool) -> tuple[Address, ...]:
    """Return the addresses to connect to, the preferred one first, after a check of every one.

    The host is what the system makes of it, in any spelling: the addresses are checked, not the text. The caller must
    connect to these addresses, since the name could have others at the next look-up.

    Raises:
        NameNotResolved: there is none, or the name is ill-formed.
        AddressRefused: one of them is not public, and ``allow_private`` is not set.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except (OSError, ValueError):  # the latter for names with empty or long parts
        raise NameNotResolved from None
    addresses = tuple(dict.fromkeys(ip_address(place[0]) for _, _, _, _, place in found))
    if not addresses:
        raise NameNotResolved
    if not allow_private and not all(map(is_public, addresses)):
        raise AddressRefused
    return addresses


def is_public(address: Address) -> bool:
    """Return whether the address is a public one of a single receiver."""
    # The library counts multicast as global, and in IPv6 most of what no network may announce.
    unicast = not address.is_multicast if isinstance(address, IPv4Address) else address in _IPV6_UNICAST
    return unicast and address.is_global and not any(address in network for network in _ALSO_REFUSED)
