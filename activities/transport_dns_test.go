package activities

import (
	"context"
	"encoding/binary"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// names is a DNS server that answers every question by the addresses it is given, which may change.
type names struct {
	mu        sync.Mutex
	addresses []netip.Addr
	address   string
}

func newNames(t *testing.T) *names {
	t.Helper()
	conn, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	n := &names{address: conn.LocalAddr().String()}
	go func() {
		question := make([]byte, 512)
		for {
			length, from, err := conn.ReadFrom(question)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(n.reply(question[:length]), from)
		}
	}()
	return n
}

func (n *names) answer(addresses ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addresses = nil
	for _, address := range addresses {
		n.addresses = append(n.addresses, netip.MustParseAddr(address))
	}
}

// reply answers a question (RFC 1035, section 4): its header and question, then an A or AAAA record
// for each address of the kind that is asked for.
func (n *names) reply(question []byte) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	const header, a, aaaa, class = 12, 1, 28, 1
	end := header
	for question[end] != 0 {
		end += 1 + int(question[end])
	}
	kind := binary.BigEndian.Uint16(question[end+1:])
	reply := append([]byte(nil), question[:end+5]...)
	copy(reply[2:header], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
	for _, address := range n.addresses {
		if address.Is4() != (kind == a) || kind != a && kind != aaaa {
			continue
		}
		reply[7]++
		data := address.AsSlice()
		reply = append(reply, 0xc0, header)
		reply = binary.BigEndian.AppendUint16(reply, kind)
		reply = binary.BigEndian.AppendUint16(reply, class)
		reply = binary.BigEndian.AppendUint32(reply, 0) // for how long it may be kept
		reply = binary.BigEndian.AppendUint16(reply, uint16(len(data)))
		reply = append(reply, data...)
	}
	return reply
}

// dialer asks the server for every name.
func (n *names) dialer() *net.Dialer {
	dialer := newDialer()
	dialer.Resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", n.address)
	}}
	return dialer
}

// twins are two receivers on one port: that of 127.0.0.2 plays the public one.
func twins(t *testing.T) (port string, public, private *atomic.Int32) {
	t.Helper()
	listen := func(address string) net.Listener {
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
		require.NoError(t, err)
		return listener
	}
	serve := func(listener net.Listener) *atomic.Int32 {
		connections := new(atomic.Int32)
		server := &httptest.Server{Listener: listener, Config: &http.Server{
			Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
			ConnState: func(_ net.Conn, state http.ConnState) {
				if state == http.StateNew {
					connections.Add(1)
				}
			},
		}}
		server.Start()
		t.Cleanup(server.Close)
		return connections
	}
	first := listen("127.0.0.2:0")
	_, port, err := net.SplitHostPort(first.Addr().String())
	require.NoError(t, err)
	return port, serve(first), serve(listen("127.0.0.1:" + port))
}

// The address is checked at each connection, after the name was resolved: a name that led to a
// public address does not open a private one later.
func TestNameThatChangesItsAnswerGainsNothing(t *testing.T) {
	t.Parallel()
	names := newNames(t)
	port, public, private := twins(t)
	transport := newTransport(names.dialer(), newGuard(netip.MustParsePrefix("127.0.0.2/32")), "")
	send := func() verdict {
		// A connection that is open stays with the address that was checked.
		transport.(*way).base.CloseIdleConnections()
		reply, err := post(t.Context(), transport, Target{URL: "http://hooks.example:" + port + "/"}, http.Header{}, nil)
		return classify(reply.statusCode, reply.header, err, noon)
	}
	delivered := verdict{outcome: OutcomeDelivered}

	names.answer("127.0.0.2")
	require.Equal(t, delivered, send())
	require.EqualValues(t, 1, public.Load())

	for _, answer := range [][]string{
		{"127.0.0.1"},
		{"127.0.0.1", "169.254.169.254", "10.0.0.1"},
		{"::ffff:127.0.0.1"},
		{"::1", "127.0.0.1"},
		{"64:ff9b::7f00:1"},
	} {
		names.answer(answer...)
		got := send()
		require.Equal(t, FailureAddressForbidden, got.outcome, got.reason)
		require.False(t, got.retry)
	}

	for _, answer := range [][]string{{"127.0.0.1", "127.0.0.2"}, {"127.0.0.2", "127.0.0.1"}, {"::1", "127.0.0.1", "127.0.0.2"}} {
		names.answer(answer...)
		require.Equal(t, delivered, send(), answer)
	}
	require.EqualValues(t, 4, public.Load())
	require.Zero(t, private.Load())
}

func TestNameOfAnAddressThatIsNotPublicIsRefused(t *testing.T) {
	t.Parallel()
	names := newNames(t)
	transport := newTransport(names.dialer(), newGuard(), "")
	for kind, addresses := range notPublic {
		for _, address := range addresses {
			if newGuard().SafeAddr(netip.MustParseAddr(address).Unmap()) == nil {
				continue // As an answer it is the public IPv4 address within it.
			}
			names.answer(address)
			_, err := post(t.Context(), transport, Target{URL: "https://hooks.example/"}, http.Header{}, nil)
			got := classify(0, nil, err, noon)
			require.Equal(t, FailureAddressForbidden, got.outcome, "%s: %s: %s", kind, address, got.reason)
			require.Contains(t, got.reason, "set allow_private to permit it")
		}
	}
}

// With allow_private, the same name leads where it says.
func TestAllowPrivateOpensAnyAddress(t *testing.T) {
	t.Parallel()
	names := newNames(t)
	port, _, private := twins(t)
	transport := newTransport(names.dialer(), nil, "")
	names.answer("127.0.0.1")
	reply, err := post(t.Context(), transport, Target{URL: "http://hooks.example:" + port + "/"}, http.Header{}, nil)
	require.Equal(t, verdict{outcome: OutcomeDelivered}, classify(reply.statusCode, reply.header, err, noon))
	require.EqualValues(t, 1, private.Load())
}
