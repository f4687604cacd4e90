package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/internal/apitest"
	"github.com/gitbook-courier/courier/internal/hooktest"
)

// certified is a folder with a certificate for 127.0.0.1 that signs itself.
type certified struct{ certificate, key string }

func newCertified(t *testing.T) certified {
	t.Helper()
	dir := t.TempDir()
	return certified{filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")}
}

// yaml is the key of the configuration.
func (c certified) yaml() string {
	return "tls: {certificate: " + c.certificate + ", key: " + c.key + "}\n"
}

// renew writes both files, and returns a client that trusts this certificate and no other.
func (c certified) renew(t *testing.T, serial int64) *http.Client {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "Courier's tests"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(c.certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(c.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))

	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	// Every request has a handshake of its own.
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true, DisableKeepAlives: true,
	}
	return &http.Client{Transport: apitest.Transport(t, transport), Timeout: patience}
}

// relayBy is starter.relay with a client of the test's own. It returns status and protocol.
func (s starter) relayBy(t *testing.T, client *http.Client, event string) (status string, err error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, string(s)+"/webhooks/docs", strings.NewReader(event))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(gitbook.SignatureHeader, gitbook.Sign(time.Now(), []byte(event), sourceSecret))
	answer, err := client.Do(r)
	if err != nil {
		return "", err
	}
	require.NoError(t, answer.Body.Close())
	return answer.Status + " " + answer.Proto, nil
}

func TestEventsComeInOverTLSAndItsCertificateIsRenewed(t *testing.T) {
	t.Parallel()
	receiver, files := hooktest.New(t), newCertified(t)
	first := files.renew(t, 1)
	courier := start(t, t.TempDir(), files.yaml()+configuration(destination("search-index", receiver.URL)))
	require.Regexp(t, "^https://", courier.starter)

	answer, err := courier.relayBy(t, first, event("space_content_updated", "evt_1"))
	require.NoError(t, err)
	require.Equal(t, "200 OK HTTP/2.0", answer)
	waitFor(t, "the webhook", func() ([]hooktest.Request, bool) {
		return requests(receiver, "evt_1"), len(requests(receiver, "evt_1")) == 1
	})

	second := files.renew(t, 2)
	waitFor(t, "the new certificate", func() (string, bool) {
		answer, err := courier.relayBy(t, second, event("space_content_updated", "evt_2"))
		return answer, err == nil
	})
	_, err = courier.relayBy(t, first, event("space_content_updated", "evt_3"))
	var unknown x509.UnknownAuthorityError
	require.ErrorAs(t, err, &unknown)
	courier.stop(t)
}

func TestUnreadableCertificateRefusesTheStart(t *testing.T) {
	t.Parallel()
	files := newCertified(t)
	p := launch(t, "standalone", nil, arguments(t, t.TempDir(), files.yaml()+configuration())...)
	require.Equal(t, 1, p.exitCode(t, patience))
	said := lines(p.stderr.String())
	require.Len(t, said, 1, "%s", &p.stderr)
	require.Contains(t, said[0], "tls.certificate: stat "+files.certificate+": no such file or directory; give the path of a PEM file that Courier may read")
}

// Clients that open connections, or requests, and do not go on keep nobody out.
func TestSlowClientsKeepNobodyOut(t *testing.T) {
	t.Parallel()
	const each = 300
	receiver := hooktest.New(t)
	courier := start(t, t.TempDir(), configuration(destination("search-index", receiver.URL))+"max_requests: 16\n")
	address := strings.TrimPrefix(string(courier.starter), "http://")
	for range each {
		for _, begun := range []string{
			"",
			"POST /v1 HTTP/1.1\r\nHost: 127.0.0.1\r\n",
			"POST /webhooks/docs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
		} {
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
			require.NoError(t, err)
			t.Cleanup(func() { _ = conn.Close() })
			_, err = io.WriteString(conn, begun)
			require.NoError(t, err)
		}
	}
	// A sender may be told to come again; it does, and gets through.
	waitFor(t, "an event to be stored", func() (reply, bool) {
		answer := courier.relay(t, event("space_content_updated", "evt_1"))
		return answer, answer.status == http.StatusOK
	})
	courier.awaitStatus(t, "search-index", "evt_1", "delivered")
	require.Equal(t, http.StatusOK, courier.do(t, http.MethodGet, "/api/destinations", nil, nil).status)
}
