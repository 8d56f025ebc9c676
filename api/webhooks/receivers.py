"""Which addresses may be told something: never the operator's own network, unless the operator says so."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: The only IPv6 addresses that are anybody's on the Internet. So what carries an IPv4 address inside
#: (NAT64, 64:ff9b::/96 and 64:ff9b:1::/48) is none of them, nor is a site-local one.
GLOBAL_UNICAST = ip_network("2000::/3")

#: What `is_global` takes for anybody's, and is not, in one Python or another.
REFUSED = tuple(
    ip_network(each)
    for each in (
        "100.64.0.0/10",  # behind a provider's NAT; in some clouds the metadata service
        "168.63.129.16/32",  # a cloud's host, which looks public
        "192.0.0.0/24",
        "192.88.99.0/24",  # relays to IPv6
        "2001::/23",  # protocols; Teredo, with an IPv4 address inside
        "2002::/16",  # 6to4, with an IPv4 address inside
        "3fff::/20",  # documentation
    )
)


def is_public(address: Address) -> bool:
    if address.is_multicast or address.is_reserved or not address.is_global:
        return False
    if isinstance(address, IPv6Address) and address not in GLOBAL_UNICAST:
        return False
    return not any(address in network for network in REFUSED)


def plain(text: str) -> Address:
    """As a packet would have it: `::ffff:127.0.0.1` is 127.0.0.1. Raises ValueError."""
    address = ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@dataclass(frozen=True, slots=True)
class Receivers:
    """What the operator has allowed beyond the Internet."""

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return " ".join([*map(str, self.networks), *sorted(self.hosts)])

    def allow(self, host: str, address: str) -> bool:
        """Whether the host, found at that address, is one of these."""
        return host in self.hosts or any(plain(address) in network for network in self.networks)

    def admit(self, host: str, address: str) -> bool:
        """Whether a delivery to the host may go to that address."""
        return self.allow(host, address) or is_public(plain(address))
