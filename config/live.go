package config

import (
	"reflect"
	"slices"
	"sync/atomic"
)

// Live is the configuration of a running program. A reload replaces it as a whole.
type Live struct{ current atomic.Pointer[Config] }

// NewLive makes a live configuration that begins with c.
func NewLive(c Config) *Live {
	l := new(Live)
	l.Replace(c)
	return l
}

// Current is the configuration now. What belongs together should be read from one of its results.
func (l *Live) Current() Config { return *l.current.Load() }

// Replace makes c the configuration.
func (l *Live) Replace(c Config) { l.current.Store(&c) }

// fixed are the keys that count from a program's start on: its addresses, keys and bounds.
var fixed = []string{
	"listen", "admin_listen", "log_format", "tls", "sealing_keys", "encrypt_payloads", "ui_origins", "ui_url", "gitbook_api", "egress_proxy", "worker",
	"max_body_bytes", "max_requests",
}

// Reloaded is the configuration that a running program goes on with when its file says next: all of
// next, but the keys that need a restart as they are. pending are those that differ.
func (c Config) Reloaded(next Config) (effective Config, pending []string) {
	effective = next
	running, wanted := reflect.ValueOf(c), reflect.ValueOf(&effective).Elem()
	for i := range running.NumField() {
		key := running.Type().Field(i).Tag.Get("yaml")
		if !slices.Contains(fixed, key) || reflect.DeepEqual(running.Field(i).Interface(), wanted.Field(i).Interface()) {
			continue
		}
		pending = append(pending, key)
		wanted.Field(i).Set(running.Field(i))
	}
	return effective, pending
}
