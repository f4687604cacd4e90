package activities

import (
	"context"
	"net"
	"net/netip"
	"strings"

	"code.dny.dev/ssrf"
)

// azureWireServer is Azure's metadata and control service. Its address is a public one, which only
// Azure's own machines reach.
var azureWireServer = netip.MustParsePrefix("168.63.129.16/32")

// newGuard makes what tells public addresses from the others: loopback, private, link-local,
// reserved, and those in which IPv6 wraps an IPv4 address. The allowed prefixes count as public;
// they are for tests.
func newGuard(allowed ...netip.Prefix) *ssrf.Guardian {
	return ssrf.New(ssrf.WithAnyPort(), ssrf.WithDeniedV4Prefixes(azureWireServer), ssrf.WithAllowedV4Prefixes(allowed...))
}

// guardedDial dials public addresses only. The dialer's Control sees each address after name
// resolution, right before its connection, so a name that changes its answer gains nothing.
func guardedDial(dialer *net.Dialer, guard *ssrf.Guardian) func(ctx context.Context, network, address string) (net.Conn, error) {
	guarded := *dialer
	guarded.Control = guard.Safe
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		if err := checkHost(guard, host); err != nil {
			return nil, err
		}
		return guarded.DialContext(ctx, network, address)
	}
}

// checkHost refuses the host of a URL for what can be seen without resolving it: an address that is
// not public, also when it is spelled in a way that some resolver or proxy takes for one, and
// whatever is no host name in ASCII, since what that is mapped to could be either.
func checkHost(guard *ssrf.Guardian, host string) error {
	if address, err := netip.ParseAddr(host); err == nil {
		return guard.SafeAddr(address)
	}
	name := strings.ToLower(strings.TrimRight(host, "."))
	switch {
	case strings.ContainsFunc(name, notInHostName):
		return &addressError{"the host of the webhook URL may have letters, digits, dots, - and _ only; write an international name in its ASCII form, xn--…"}
	case endsInNumber(name):
		return &addressError{"the host of the webhook URL is an IPv4 address that is not written as four decimal numbers"}
	case name == "localhost" || strings.HasSuffix(name, ".localhost"):
		return &addressError{"localhost is this machine; set allow_private to permit it"}
	}
	return nil
}

func notInHostName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '-' && r != '_'
}

// endsInNumber is whether the last label of a name in lower case is a decimal, octal or hexadecimal
// number, by which browsers and C libraries know an IPv4 address
// (https://url.spec.whatwg.org/#ends-in-a-number-checker).
func endsInNumber(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	hex, isHex := strings.CutPrefix(last, "0x")
	if isHex {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}
