package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/gitbook-courier/courier/config"
)

// certificateInterval is the least time between two looks at the files.
const certificateInterval = time.Second

// pemBegin is in every PEM file and in no path.
const pemBegin = "-----BEGIN "

// certificates serves the certificate of two files, as they are now: at a handshake, at most once a
// second, it looks whether they have changed. What cannot be loaded leaves the certificate as it
// is, since most likely one file of the two is written and the other is not yet; the next look
// tries again.
type certificates struct {
	files config.TLS
	log   *slog.Logger
	now   func() time.Time

	mu      sync.Mutex
	current *tls.Certificate
	version [2]fileVersion // of current
	looked  time.Time
	said    string // of a failure, so that it is said once
}

// fileVersion changes when a file does.
type fileVersion struct {
	modified time.Time
	size     int64
}

// newCertificates is nil without TLS. It does no I/O.
func newCertificates(c config.Config, log *slog.Logger, now func() time.Time) *certificates {
	if c.TLS == (config.TLS{}) {
		return nil
	}
	return &certificates{files: c.TLS, log: log, now: now}
}

func (c *certificates) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}

// get is the tls.Config's GetCertificate.
func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.looked).Abs() < certificateInterval {
		return c.current, nil
	}
	c.looked = now
	if version, err := c.look(); err == nil && version == c.version {
		return c.current, nil
	}
	switch err := c.load(); {
	case err == nil:
		c.log.Info("certificate reloaded", "expires", c.current.Leaf.NotAfter)
		c.said = ""
	case err.Error() != c.said:
		c.log.Error("certificate not reloaded; the one before stays", "error", err)
		c.said = err.Error()
	}
	return c.current, nil
}

// open loads the files for the first time.
func (c *certificates) open() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked = c.now()
	return c.load()
}

// expiry is when the current certificate ends; false before the first is loaded.
func (c *certificates) expiry() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == nil || c.current.Leaf == nil {
		return time.Time{}, false
	}
	return c.current.Leaf.NotAfter, true
}

// load reads the files. Their version is taken before, so that a change during the reading is
// noticed afterwards.
func (c *certificates) load() error {
	version, err := c.look()
	if err != nil {
		return err
	}
	chain, err := os.ReadFile(c.files.Certificate)
	if err != nil {
		return unreadable("tls.certificate", err)
	}
	key, err := os.ReadFile(c.files.Key)
	if err != nil {
		return unreadable("tls.key", err)
	}
	certificate, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return fmt.Errorf("tls.certificate, tls.key: %w; give the PEM files of a certificate, with its chain, and of its unencrypted private key", err)
	}
	c.current, c.version = &certificate, version
	return nil
}

func (c *certificates) look() (version [2]fileVersion, err error) {
	for i, file := range []struct{ key, path string }{{"tls.certificate", c.files.Certificate}, {"tls.key", c.files.Key}} {
		if strings.Contains(file.path, pemBegin) {
			// An error of the file system would show it.
			return version, errors.New(file.key + ": is a PEM itself; give the path of a file that holds it")
		}
		info, err := os.Stat(file.path)
		if err == nil && !info.Mode().IsRegular() {
			err = errors.New(file.path + " is not a file")
		}
		if err != nil {
			return version, unreadable(file.key, err)
		}
		version[i] = fileVersion{info.ModTime(), info.Size()}
	}
	return version, nil
}

func unreadable(key string, err error) error {
	return fmt.Errorf("%s: %w; give the path of a PEM file that Courier may read", key, err)
}
