import socket
from ipaddress import ip_address

import pytest

from delivery.webhooks.addresses import AddressRefused, NameNotResolved, addresses_of, is_public

REFUSED = {
    "this network": ["0.1.2.3", "0.255.255.255"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "fc00::1", "fdff::1"],
    "shared by a provider's customers": ["100.64.0.1", "100.100.100.200", "100.127.255.255"],
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "link-local": ["169.254.0.1", "fe80::1", "febf::1"],
    "site-local": ["fec0::1"],
    "metadata of a cloud": ["169.254.169.254", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"],
    "multicast": ["224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1"],
    "reserved": ["192.0.0.9", "240.0.0.1", "255.255.255.255", "100::1", "2001:20::1", "4000::1", "5f00::1", "fbff::1"],
    "unspecified": ["0.0.0.0", "::"],  # noqa: S104 - refused, not listened on
    "for tests and documentation": [
        "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "2001:2::1", "2001:db8::1", "3fff::1",
    ],
    "relays": ["192.88.99.1"],
    "mapped IPv4": ["::ffff:127.0.0.1", "::ffff:8.8.8.8"],
    "translated IPv4": ["::ffff:0:127.0.0.1"],
    "compatible IPv4": ["::127.0.0.1", "::8.8.8.8"],
    "6to4": ["2002:7f00:1::1", "2002:808:808::1"],
    "Teredo": ["2001:0:4136:e378:8000:63bf:80ff:fffe", "2001:0:4136:e378:8000:63bf:f7f7:f7f7"],
    "NAT64": ["64:ff9b::127.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1::1"],
}  # fmt: skip
PUBLIC = ["8.8.8.8", "20.50.2.1", "100.63.255.255", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "2a01:111::1"]


class Names:
    """The system's look-up of names, with our answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[str] = []
        monkeypatch.setattr(socket, "getaddrinfo", self._answer)

    def _answer(self, host: str, port: int, **_: object) -> list[object]:
        self.asked.append(host)
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in self.addresses
        ]


@pytest.mark.parametrize(("kind", "address"), [(kind, address) for kind in REFUSED for address in REFUSED[kind]])
def test_an_address_that_is_not_public_is_refused(kind: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Names(monkeypatch, address)
    with pytest.raises(AddressRefused):
        addresses_of("crm.example", 443, allow_private=False)
    assert addresses_of("crm.example", 443, allow_private=True) == (ip_address(address),), kind


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_accepted(address: str) -> None:
    assert is_public(ip_address(address))


def test_all_addresses_are_returned_once_in_the_order_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    Names(monkeypatch, "2606:4700::1111", "8.8.8.8", "2606:4700::1111")
    found = addresses_of("crm.example", 443, allow_private=False)
    assert [str(address) for address in found] == ["2606:4700::1111", "8.8.8.8"]


@pytest.mark.parametrize("private", ["10.0.0.1", "::1", "169.254.169.254"])
def test_one_private_address_among_public_ones_is_enough_to_refuse_the_name(
    private: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Names(monkeypatch, "8.8.8.8", private, "2606:4700::1111")
    with pytest.raises(AddressRefused):
        addresses_of("crm.example", 443, allow_private=False)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "017700000001", "0",
        "localhost", "LOCALHOST", "127.0.0.1.", "localhost.", "::1", "::1%lo", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1",
        "\uff11\uff12\uff17.0.0.1", "\u2460\u2461\u2466.0.0.1", "127\u30020\u30020\u30021", "\u24db\u24de\u24d2alhost",
    ],
)  # fmt: skip
def test_no_spelling_of_this_machine_is_a_way_in(host: str) -> None:
    # Systems differ in the spellings that they know: none of them leads to an address that is not checked.
    with pytest.raises((AddressRefused, NameNotResolved)):
        addresses_of(host, 443, allow_private=False)


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1", "\uff11\uff12\uff17.0.0.1"])
def test_a_strange_spelling_is_checked_by_what_it_resolves_to(host: str) -> None:
    assert addresses_of(host, 443, allow_private=True) == (ip_address("127.0.0.1"),)


@pytest.mark.parametrize("host", ["", "a..b", "." * 3, "a" * 64 + ".example", "a" * 300, "a\0b", "256.256.256.256.256"])
def test_an_ill_formed_name_is_not_resolved(host: str) -> None:
    with pytest.raises((NameNotResolved, AddressRefused)):
        addresses_of(host, 443, allow_private=False)


def test_a_name_without_addresses_is_not_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    Names(monkeypatch)
    with pytest.raises(NameNotResolved):
        addresses_of("crm.example", 443, allow_private=False)
