"""Which addresses documents may be fetched from."""

from ipaddress import ip_network

import pytest

from app.services.addresses import CheckedResolver, PrivateAddress, check_address

# fmt: off
PRIVATE = [
    "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "192.0.0.8", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b:1::1", "2002:7f00:1::", "2002:c0a8:101::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1",
    "ff02::1", "2001::1", "2001:db8::1", "100::1", "3fff::1", "5f00::1",
]
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "172.32.0.1", "192.169.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808",
    "2002:808:808::",
]
# fmt: on


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused(address: str) -> None:
    with pytest.raises(PrivateAddress):
        check_address(address, [])


@pytest.mark.parametrize("address", [*PUBLIC, "example.org"])
def test_public_addresses_pass(address: str) -> None:
    check_address(address, [])


def test_an_allowed_network_passes_and_its_neighbour_does_not() -> None:
    allowed = [ip_network("10.1.0.0/16"), ip_network("::1/128")]
    check_address("10.1.255.1", allowed)
    check_address("::1", allowed)
    with pytest.raises(PrivateAddress):
        check_address("10.2.0.1", allowed)


@pytest.mark.parametrize("host", ["localhost", "127.1", "0x7f000001", "2130706433", "0177.0.0.1"])
async def test_a_name_is_checked_by_what_it_resolves_to(host: str) -> None:
    with pytest.raises(PrivateAddress):
        await CheckedResolver([]).resolve(host, 80)
    found = await CheckedResolver([ip_network("127.0.0.0/8"), ip_network("::1/128")]).resolve(host, 80)
    assert {each["hostname"] for each in found} == {host}
