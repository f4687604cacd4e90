package server

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/config"
)

// authority issues certificates for 127.0.0.1.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA of the tests"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &authority{certificate, key}
}

// issue returns a certificate and its key in PEM.
func (a *authority) issue(t *testing.T, serial int64) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, private.Public(), a.key)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

// clientConfig trusts the authority alone.
func (a *authority) clientConfig() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

// writer writes files of which none is as old as another: a file system may not tell apart what is
// written within the same few milliseconds.
type writer struct {
	t    *testing.T
	time time.Time
}

func (w *writer) write(path string, data []byte) {
	w.t.Helper()
	require.NoError(w.t, os.WriteFile(path, data, 0o600))
	w.time = w.time.Add(time.Minute)
	require.NoError(w.t, os.Chtimes(path, w.time, w.time))
}

// secureDoor serves with TLS, by a clock that the test moves.
type secureDoor struct {
	*door
	*authority
	*writer
	files config.TLS
	clock atomic.Int64 // in seconds
}

func openSecureDoor(t *testing.T, change func(*limits)) *secureDoor {
	t.Helper()
	dir := t.TempDir()
	d := &secureDoor{
		authority: newAuthority(t), writer: &writer{t, time.Now().Add(-time.Hour)},
		files: config.TLS{Certificate: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")},
	}
	certificate, key := d.issue(t, 100)
	d.write(d.files.Certificate, certificate)
	d.write(d.files.Key, key)
	c := parseConfig(t, doorConfiguration+fmt.Sprintf("tls: {certificate: %q, key: %q}\n", d.files.Certificate, d.files.Key))
	l := newLimits(c)
	change(&l)
	d.door = openDoor(t, c, l, func() time.Time { return time.Unix(d.clock.Load(), 0) })
	require.Equal(t, "https", d.scheme)
	return d
}

// serial is that of the certificate which a new connection is shown.
func (d *secureDoor) serial(t *testing.T) int64 {
	t.Helper()
	conn := tls.Client(d.dial(t), withName(d.clientConfig()))
	require.NoError(t, conn.HandshakeContext(t.Context()))
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func withName(c *tls.Config) *tls.Config {
	c.ServerName = "127.0.0.1"
	return c
}

func TestCertificateIsReloadedWhenItsFilesChange(t *testing.T) {
	t.Parallel()
	d := openSecureDoor(t, func(*limits) {})
	certificate, key := d.issue(t, 101)
	third, thirdKey := d.issue(t, 102)
	const kept, reloaded = "certificate not reloaded", "certificate reloaded"
	count := func(what string) int { return strings.Count(d.logs.String(), what) }
	steps := []struct {
		name                   string
		give                   func()
		wantSerial             int64
		wantKept, wantReloaded int
	}{
		{"as at the start", func() {}, 100, 0, 0},
		{"the certificate without its key", func() { d.write(d.files.Certificate, certificate) }, 100, 1, 0},
		{"still without its key", func() {}, 100, 1, 0},
		{"half of the key", func() { d.write(d.files.Key, key[:len(key)/2]) }, 100, 2, 0},
		{"the whole key", func() { d.write(d.files.Key, key) }, 101, 2, 1},
		{"unchanged", func() {}, 101, 2, 1},
		{"no key at all", func() { require.NoError(t, os.Remove(d.files.Key)) }, 101, 3, 1},
		{"another certificate beside no key", func() { d.write(d.files.Certificate, third) }, 101, 3, 1},
		{"another pair", func() { d.write(d.files.Key, thirdKey) }, 102, 3, 2},
		{"broken in the same way as long ago", func() { d.write(d.files.Certificate, certificate) }, 102, 4, 2},
		{"the earlier one again", func() { d.write(d.files.Key, key) }, 101, 4, 3},
	}
	for _, step := range steps {
		step.give()
		d.clock.Add(1)
		require.Equal(t, step.wantSerial, d.serial(t), step.name)
		require.Equal(t, step.wantKept, count(kept), "%s: %s", step.name, d.logs)
		require.Equal(t, step.wantReloaded, count(reloaded), "%s: %s", step.name, d.logs)
	}
	require.NotContains(t, d.logs.String(), "PRIVATE KEY")
}

// Within a second the files are not looked at again.
func TestCertificateIsLookedAtOnceASecond(t *testing.T) {
	t.Parallel()
	d := openSecureDoor(t, func(*limits) {})
	certificate, key := d.issue(t, 101)
	d.write(d.files.Certificate, certificate)
	d.write(d.files.Key, key)
	require.EqualValues(t, 100, d.serial(t))
	d.clock.Add(1)
	require.EqualValues(t, 101, d.serial(t))
}

func TestServesHTTP2AndHTTP1OverTLS(t *testing.T) {
	t.Parallel()
	d := openSecureDoor(t, func(l *limits) { l.body = 50 * time.Millisecond })
	for _, major := range []int{1, 2} {
		transport := &http.Transport{TLSClientConfig: d.clientConfig(), ForceAttemptHTTP2: major == 2}
		t.Cleanup(transport.CloseIdleConnections)
		client := &http.Client{Transport: transport, Timeout: patience}
		answer, err := client.Do(d.request(t, "POST /v1", eventToken))
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, http.StatusOK, answer.StatusCode)
		require.Equal(t, major, answer.ProtoMajor)

		slow := d.request(t, "POST /webhooks/docs", "")
		body, send := io.Pipe()
		t.Cleanup(func() { _ = send.Close() })
		slow.Body, slow.ContentLength = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(strings.NewReader("{"), body), body}, -1
		answer, err = client.Do(slow)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, http.StatusRequestTimeout, answer.StatusCode)
	}
}

func TestRefusesWhatIsNoSafeTLS(t *testing.T) {
	t.Parallel()
	d := openSecureDoor(t, func(l *limits) { l.header = 50 * time.Millisecond })

	old := withName(d.clientConfig())
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	require.ErrorContains(t, tls.Client(d.dial(t), old).HandshakeContext(t.Context()), "protocol version")

	stranger := tls.Client(d.dial(t), withName(newAuthority(t).clientConfig()))
	var unknown x509.UnknownAuthorityError
	require.ErrorAs(t, stranger.HandshakeContext(t.Context()), &unknown)

	plain := d.dial(t)
	_, err := io.WriteString(plain, "GET /healthz HTTP/1.1\r\nHost: courier\r\n\r\n")
	require.NoError(t, err)
	answer, err := io.ReadAll(plain)
	require.NoError(t, err)
	require.Contains(t, string(answer), "400 Bad Request")
	require.NotContains(t, string(answer), "\r\n\r\nOK")

	// A handshake that is never begun, or never ends.
	for _, begun := range []string{"", "\x16\x03\x01\x02\x00\x01"} {
		silent := d.dial(t)
		_, err = io.WriteString(silent, begun)
		require.NoError(t, err)
		_, err = io.ReadAll(silent)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	}
}

func TestUnusableCertificateRefusesTheStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := newAuthority(t)
	certificate, key := a.issue(t, 100)
	_, otherKey := a.issue(t, 101)
	const remedy = "; give the path of a PEM file that Courier may read"
	const pair = "; give the PEM files of a certificate, with its chain, and of its unencrypted private key"
	tests := []struct {
		name             string
		certificate, key []byte // no file when nil
		want             string // with the folder in place of %s
	}{
		{"no certificate", nil, key, "tls.certificate: stat %s/no-certificate.crt: no such file or directory" + remedy},
		{"no key", certificate, nil, "tls.key: stat %s/no-key.key: no such file or directory" + remedy},
		{"key of another", certificate, otherKey, "tls.certificate, tls.key: tls: private key does not match public key" + pair},
		{"exchanged", key, certificate, "tls.certificate, tls.key: tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched" + pair},
		{"empty", []byte{}, []byte{}, "tls.certificate, tls.key: tls: failed to find any PEM data in certificate input" + pair},
		{"not PEM", []byte("geheim"), key, "tls.certificate, tls.key: tls: failed to find any PEM data in certificate input" + pair},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(dir, strings.ReplaceAll(tt.name, " ", "-"))
			c := config.Default()
			c.Listen = "127.0.0.1:0"
			c.TLS = config.TLS{Certificate: path + ".crt", Key: path + ".key"}
			for file, data := range map[string][]byte{c.TLS.Certificate: tt.certificate, c.TLS.Key: tt.key} {
				if data != nil {
					require.NoError(t, os.WriteFile(file, data, 0o600))
				}
			}
			var logged bytes.Buffer
			log := slog.New(slog.NewTextHandler(&logged, nil))
			s := newServer(c, nil, newLimits(c), newCertificates(c, log, time.Now), log, nil)
			require.EqualError(t, s.Start(t.Context()), strings.ReplaceAll(tt.want, "%s", dir))
			require.Empty(t, logged.String(), "it does not listen")
		})
	}
	c := config.Default()
	c.TLS = config.TLS{Certificate: dir, Key: dir}
	require.EqualError(t, newCertificates(c, nil, time.Now).open(), "tls.certificate: "+dir+" is not a file"+remedy)
	c.TLS = config.TLS{Certificate: string(certificate), Key: dir}
	require.EqualError(t, newCertificates(c, nil, time.Now).open(), "tls.certificate: is a PEM itself; give the path of a file that holds it")
}
