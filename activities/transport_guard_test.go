package activities

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// notPublic are addresses of each kind that only allow_private opens.
var notPublic = map[string][]string{
	"loopback":                     {"127.0.0.1", "127.255.255.254", "::1"},
	"this machine, this network":   {"0.0.0.0", "0.1.2.3", "::"},
	"private":                      {"10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1"},
	"unique local":                 {"fc00::1", "fdff::1"},
	"link-local":                   {"169.254.0.1", "fe80::1", "febf::1"},
	"site-local":                   {"fec0::1", "feff::1"},
	"cloud metadata":               {"169.254.169.254", "169.254.170.2", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"},
	"shared by a provider":         {"100.64.0.1", "100.127.255.255"},
	"multicast":                    {"224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"},
	"reserved, broadcast":          {"240.0.0.1", "255.255.255.255", "192.0.0.1", "100::1", "5f00::1", "4000::1"},
	"documentation":                {"192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"},
	"benchmarks":                   {"198.18.0.1", "198.19.255.255", "2001:2::1"},
	"relays and sinks":             {"192.88.99.1", "192.31.196.1", "192.52.193.1", "192.175.48.1", "2620:4f:8000::1"},
	"IPv4 mapped into IPv6":        {"::ffff:127.0.0.1", "::ffff:a00:1", "::ffff:8.8.8.8"},
	"IPv4-compatible IPv6":         {"::127.0.0.1", "::7f00:1", "::808:808"},
	"IPv4 translated":              {"::ffff:0:7f00:1"},
	"NAT64":                        {"64:ff9b::7f00:1", "64:ff9b::169.254.169.254", "64:ff9b::808:808", "64:ff9b:1::1", "64:ff9b:1:ffff::a00:1"},
	"6to4":                         {"2002:7f00:1::", "2002:a00:1::1", "2002:808:808::1"},
	"Teredo and other assignments": {"2001::1", "2001:0:7f00:1::", "2001:10::1", "2001:20::1", "2001:1ff::1"},
}

func TestOnlyPublicAddressesPass(t *testing.T) {
	t.Parallel()
	guard := newGuard()
	for kind, addresses := range notPublic {
		for _, address := range addresses {
			require.Error(t, guard.SafeAddr(netip.MustParseAddr(address)), "%s: %s", kind, address)
		}
	}
	for _, address := range []string{
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "168.63.129.15",
		"169.253.255.255", "172.15.255.255", "172.32.0.0", "192.167.255.255", "198.17.255.255", "198.20.0.0", "223.255.255.255",
		"2001:200::1", "2001:4860:4860::8888", "2003::1", "2606:4700::1111", "2a00::1", "3ffe::1",
	} {
		require.NoError(t, guard.SafeAddr(netip.MustParseAddr(address)), address)
	}
}

// oddHosts are those that some resolver or proxy takes for an address that is not public.
var oddHosts = []string{
	"0x7f.1", "0X7F.0.0.1", "0x7f000001", "0x", "127.0x", "2130706433", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "0", "1", "256.256.256.256",
	"127.0.0.1.", "127.0.0.1..", "127.1.", "0x7f.1.", "evil.example.1", "example.0x7f", "00000127.0.0.1", "8.8.8.08",
	"localhost", "LocalHost.", "app.localhost",
	"127.0.0.1", "127。0。0。1", "①②⑦.⓪.⓪.①", "0x7f.1", "ⓛocalhost", "127.0.0.1%25lo", "%2531", "%ef%bc%91",
	"[fe80::1%25lo]", "[::1%25lo]", "[2606:4700::1111%25eth0]", "a(b", "a,b", "a;b", "a'b", "a~b", "a=b",
}

func TestHostsThatMayBePrivateAreRefusedUnseen(t *testing.T) {
	t.Parallel()
	transport := newTransport(newDialer(), newGuard(), "")
	hosts := oddHosts
	for _, addresses := range notPublic {
		for _, address := range addresses {
			if netip.MustParseAddr(address).Is6() {
				address = "[" + address + "]"
			}
			hosts = append(hosts, address)
		}
	}
	for _, host := range hosts {
		for _, url := range []string{"http://" + host + "/", "https://" + host + ":8443/hook?a=b"} {
			reply, err := post(t.Context(), transport, Target{URL: url}, http.Header{}, nil)
			got := classify(reply.statusCode, reply.header, err, noon)
			require.Equal(t, FailureAddressForbidden, got.outcome, "%s: %s", url, got.reason)
			require.False(t, got.retry)
			require.NotEmpty(t, got.reason)
		}
	}
}

func TestOrdinaryHostsPass(t *testing.T) {
	t.Parallel()
	for _, host := range []string{
		"example.com", "EXAMPLE.com.", "xn--bcher-kva.example", "a_b.example", "7.example", "1.2.3.4.example", "0x7f.example", "example.0xg", "example.1a",
		"localhost.example", "mylocalhost", "8.8.8.8", "2606:4700::1111", "internal",
	} {
		require.NoError(t, checkHost(newGuard(), host), host)
	}
}

func TestControlCharactersAreRefused(t *testing.T) {
	t.Parallel()
	transport := newTransport(newDialer(), nil, "")
	for _, bad := range []string{"\r\nX-Evil: 1", "\n", "\r", "\x00", "\x1f", "\x7f", "\u0085"} {
		for _, url := range []string{"https://example.com/" + bad, "https://example.com/?a=" + bad, "https://exam" + bad + "ple.com/", "ht" + bad + "tp://example.com/", "https://example.com/#" + bad} {
			_, err := post(t.Context(), transport, Target{URL: url}, http.Header{}, nil)
			require.Equal(t, verdict{outcome: FailureAddressForbidden, reason: "the webhook URL is not a URL"}, classify(0, nil, err, noon), "%q", url)
		}
		for _, header := range []http.Header{{"webhook-id": {"evt_1" + bad}}, {"X-Team": {"fine", "docs" + bad}}, {"X-Te" + bad + "am": {"docs"}}} {
			_, err := post(t.Context(), transport, Target{URL: "https://example.invalid/"}, header, nil)
			got := classify(0, nil, err, noon)
			require.Equal(t, FailureRejected, got.outcome, "%q", header)
			require.False(t, got.retry)
			require.Regexp(t, `^the header ".*" holds a line break or another control character$`, got.reason)
		}
	}
}
