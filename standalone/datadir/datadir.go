// Package datadir keeps the secrets that a single-process Courier makes for itself in its data
// folder, so that a first start needs no configuration. It knows neither what they protect nor who
// uses the folder.
package datadir

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	sealingKeyFile = "sealing.key"
	demoSecretFile = "demo.secret"

	// secretBytes is the length of a secret: that of an AES-256 key, and of the secrets that
	// GitBook generates.
	secretBytes = 32

	// maxFileBytes is far more than a secret takes; what is longer is not read.
	maxFileBytes = 256
)

// Files are the names of the files that this package keeps in a data folder. Some may not be there.
func Files() []string { return []string{sealingKeyFile, demoSecretFile} }

// SealingKey returns the 32 bytes that seal secrets in stored events. They are read from
// sealing.key in the data folder, in base64 (RFC 4648, section 4), and made there at the first
// call. Without this file the sealed secrets of stored events cannot be opened: keep it in the
// backup of the folder.
//
// A file that others than its owner can read, or that holds something else, is an error.
func SealingKey(dataDir string) ([]byte, error) {
	return readOrCreate(dataDir, sealingKeyFile, base64.StdEncoding)
}

// DemoSecret returns the webhook secret of the demo's receiver, in the form of GitBook's own: 32
// bytes in base64url without padding. It is kept in demo.secret in the data folder, like the
// sealing key.
func DemoSecret(dataDir string) (string, error) {
	secret, err := readOrCreate(dataDir, demoSecretFile, base64.RawURLEncoding)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(secret), nil
}

func readOrCreate(dataDir, name string, encoding *base64.Encoding) ([]byte, error) {
	path := filepath.Join(dataDir, name)
	secret, err := read(path, encoding)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	if err := create(dataDir, path, encoding); err != nil {
		return nil, fmt.Errorf("%s cannot be created: %w; check the rights of the data folder", path, err)
	}
	// Another process may have created the file in the same moment, so it is read in any case.
	return read(path, encoding)
}

func read(path string, encoding *base64.Encoding) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("secret file: %w", err)
	}
	defer func() { _ = file.Close() }() // It was only read.

	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("secret file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by other users (mode %04o); run chmod 600 %s", path, info.Mode().Perm(), path)
	}
	content, err := io.ReadAll(io.LimitReader(file, maxFileBytes))
	if err != nil {
		return nil, fmt.Errorf("secret file: %w", err)
	}
	secret, err := encoding.Strict().DecodeString(string(content)) // It passes over line breaks.
	if err != nil || len(secret) != secretBytes {
		return nil, fmt.Errorf("%s does not hold %d bytes in base64; restore it from a backup, or delete it to have a new one made "+
			"if nothing was stored with it", path, secretBytes)
	}
	return secret, nil
}

// create makes the file appear under its name complete and on the disk, or not at all, and leaves
// one that exists alone.
func create(dataDir, path string, encoding *base64.Encoding) error {
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return err
	}
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // It never fails: without randomness the runtime ends the process.

	temporary, err := os.CreateTemp(dataDir, filepath.Base(path)+".*") // Its mode is 0600.
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // At worst a second name stays.
	_, err = temporary.WriteString(encoding.EncodeToString(secret) + "\n")
	if err = errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	// A link, unlike a rename, does not replace a file that has come into being meanwhile.
	if err := os.Link(temporary.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	dir, err := os.Open(dataDir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
