"""Which proxy counts: `NO_PROXY` in all forms that kubectl and curl read, and what a proxy's address may
be."""

import pytest

from breakglass.transport.proxy import Proxy, is_direct, proxy_at, proxy_for

GIVEN = {"HTTPS_PROXY": "http://proxy:3128"}


@pytest.mark.parametrize(
    ("listed", "url", "direct"),
    [
        ("192.0.2.0/24", "https://192.0.2.10:6443", True),
        ("192.0.2.0/24", "https://192.0.3.10:6443", False),
        ("192.0.2.0/24", "https://api.test", False),
        ("2001:db8::/32", "https://[2001:db8::1]", True),
        ("192.0.2.10:6443", "https://192.0.2.10:6443", True),
        ("192.0.2.10:6443", "https://192.0.2.10", False),
        ("192.0.2.10", "https://192.0.2.10:6443", True),
        ("2001:db8::1", "https://[2001:db8::1]:6443", True),
        ("[2001:db8::1]:6443", "https://[2001:db8::1]:6443", True),
        ("[2001:db8::1]:443", "https://[2001:db8::1]:6443", False),
        ("[2001:db8::1]", "https://[2001:db8::1]:6443", False),
        ("*.test", "https://api.test", True),
        ("*.test", "https://test", False),
        (".test", "https://api.test", True),
        (".test", "https://test", False),
        ("test", "https://api.test", True),
        ("test", "https://test", True),
        ("test", "https://contest", False),
        ("api.test:443", "https://api.test", True),
        ("api.test:444", "https://api.test", False),
        (" a.test , API.test ", "https://api.TEST", True),
        ("bücher.test", "https://xn--bcher-kva.test", True),
        ("*", "https://anything", True),
        ("a.*", "https://a.test", False),
        ("", "https://localhost:6443", True),
        ("", "https://127.3.2.1", True),
        ("", "https://[::1]", True),
        (",,:443,/8", "https://api.test", False),
    ],
)
def test_no_proxy_is_read_as_client_go_reads_it(listed: str, url: str, direct: bool) -> None:
    found = proxy_for(url, {**GIVEN, "NO_PROXY": listed})
    assert (found is None) is direct
    assert (proxy_for(url, {**GIVEN, "no_proxy": listed}) is None) is direct


@pytest.mark.parametrize(
    ("written", "proxy"),
    [
        ("127.0.0.1:3128", Proxy("http://127.0.0.1:3128")),
        ("proxy", Proxy("http://proxy")),
        ("https://proxy:1/x", Proxy("https://proxy:1")),
        ("socks5://u%40x:p@proxy", Proxy("socks5://proxy", ("u@x", "p"))),
        ("http://[2001:db8::1]:3128", Proxy("http://[2001:db8::1]:3128")),
    ],
)
def test_a_proxy_of_the_environment_may_leave_its_scheme_out(written: str, proxy: Proxy) -> None:
    assert proxy_for("https://api.test", {"https_proxy": written}) == proxy


def test_each_scheme_has_its_own_variable() -> None:
    environment = {"HTTP_PROXY": "http://one", "HTTPS_PROXY": "http://two", "ALL_PROXY": "http://three"}
    assert proxy_for("http://api.test", environment) == Proxy("http://one")
    assert proxy_for("https://api.test", environment) == Proxy("http://two")
    assert proxy_for("https://api.test", {"ALL_PROXY": "http://three"}) is None


@pytest.mark.parametrize("written", ["ftp://proxy:21", "socks4://proxy"])
def test_a_proxy_that_cannot_be_spoken_to_is_said_with_its_variable(written: str) -> None:
    with pytest.raises(ValueError, match="HTTPS_PROXY cannot be used: unsupported scheme"):
        proxy_for("https://api.test", {"HTTPS_PROXY": written})


def test_a_login_is_never_part_of_what_is_shown() -> None:
    assert "secret" not in proxy_at("http://u:secret@proxy:3128").url


def test_an_address_in_ipv6_that_stands_for_one_in_ipv4_is_that_address() -> None:
    assert is_direct("::ffff:192.0.2.1", 443, {"NO_PROXY": "192.0.2.0/24"})
