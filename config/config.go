// Package config is Courier's configuration: one typed tree, its defaults, its loading from
// courier.yaml with values from variables and files, and its validation. It reports all errors at
// once, each with its line, and never shows a secret.
//
// It reads the configuration file and the files that its values refer to, looks up variables, and
// does nothing else. It knows nothing of Temporal, whose settings stay in the TEMPORAL_* variables,
// and of HTTP only the form of addresses, URLs and headers.
package config

import (
	"fmt"
	"slices"
	"time"

	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/internal/seal"
)

// Defaults of keys that the file leaves out.
const (
	// DefaultListen is the address of the starter, which only this machine can reach.
	DefaultListen = "127.0.0.1:8080"

	// DefaultAdminListen is where standalone serves metrics and probes. It is OpenTelemetry's port
	// for Prometheus.
	DefaultAdminListen = "127.0.0.1:9464"

	// DefaultGitBookAPI is GitBook's own.
	DefaultGitBookAPI = "https://api.gitbook.com"

	// DefaultSecretOverlap is for how long a secret that was replaced in GitBook still signs.
	DefaultSecretOverlap = day

	// DefaultMaxBodyBytes is the largest body of an incoming request, in bytes: 1 MiB.
	DefaultMaxBodyBytes = 1 << 20

	// DefaultMaxRequests is how many events are accepted at the same time.
	DefaultMaxRequests = 128

	// DefaultTimeout is the time one attempt may take; GitBook documents the same.
	DefaultTimeout = 10 * time.Second

	// DefaultRetryAfterMax is the longest wait that a reply's Retry-After can ask for.
	DefaultRetryAfterMax = time.Minute

	// DefaultUnknownPatience is how long a delivery waits while no worker knows its destination.
	DefaultUnknownPatience = day
)

// Bounds of durations, sizes and lists.
const (
	minTimeout = 100 * time.Millisecond
	maxTimeout = 30 * time.Second

	minRetry     = 100 * time.Millisecond
	minHoldAfter = time.Minute
	maxRetry     = 30 * day
	maxRetries   = 50

	maxRetryAfter = day

	maxSecretOverlap = 30 * day

	minUnknownPatience = time.Minute
	maxUnknownPatience = 30 * day

	// Temporal refuses payloads over 2 MiB; a quarter of that is left for the data that travels
	// with the body.
	minBodyBytes = 1024
	maxBodyBytes = 1536 * 1024

	maxRequests = 10000

	maxFormerly = 50

	maxMatches     = 20
	maxMatchValues = 100

	maxConcurrency = 1000
	minRateLimit   = 0.01
	maxRateLimit   = 1000

	minTokenLength = 16
	maxIDLength    = 128
	maxURLBytes    = 2048

	// shutdownStep separates the stages of a shutdown; see StopTimeout.
	shutdownStep = 5 * time.Second
)

// Config is the whole configuration. Its zero value is not valid: begin with [Default].
type Config struct {
	// Listen is the host:port on which the starter serves. Anything but a loopback address needs
	// Access.Tokens. Defaults to 127.0.0.1:8080.
	Listen string `yaml:"listen"`

	// AdminListen is the host:port on which the program serves metrics and probes without a token;
	// empty or AdminOff for none. Defaults to none; in standalone to 127.0.0.1:9464.
	AdminListen string `yaml:"admin_listen"`

	// LogFormat is LogText, the default, or LogJSON.
	LogFormat string `yaml:"log_format"`

	// TLS is the certificate that the starter serves with. Defaults to none, which is plain HTTP.
	TLS TLS `yaml:"tls"`

	// Access says who may call.
	Access Access `yaml:"access"`

	// SealingKeys encrypt installations' secrets on their way through Temporal, and with
	// EncryptPayloads all payloads. Each is base64 of 32 bytes; the first seals, and all open.
	// Required when Installations has an entry.
	SealingKeys []Secret `yaml:"sealing_keys"`

	// EncryptPayloads encrypts all data that Courier stores in Temporal, except search attributes,
	// with SealingKeys. Defaults to false. Data that is already stored stays readable when it
	// changes.
	EncryptPayloads bool `yaml:"encrypt_payloads"`

	// UIOrigins are the origins, such as https://temporal.example.com, of the Temporal UIs whose
	// pages may have the starter decrypt payloads. Defaults to none; standalone's own UI needs
	// none.
	UIOrigins []string `yaml:"ui_origins"`

	// UIURL is where people find Temporal's UI, for links: an http or https URL without user, query
	// and fragment. Defaults to none; standalone knows its own.
	UIURL string `yaml:"ui_url"`

	// Installations are those whose events POST /v1 accepts. Each is also a destination whose URL
	// and secret come from GitBook. Nil, the default, differs from empty: nil accepts events of any
	// installation and makes none a destination; an empty list accepts none.
	Installations []Installation `yaml:"installations"`

	// GitBookAPI is the address of GitBook's API, to which the settings screen saves: an http or https
	// URL without user, query and fragment. A save with another address is refused, because the
	// tokens that come with it would go there. Defaults to https://api.gitbook.com.
	GitBookAPI string `yaml:"gitbook_api"`

	// SecretOverlap is for how long a secret that was replaced on the settings screen still signs,
	// beside the new one. Defaults to 24h; from 0, which is not at all, to 30d.
	SecretOverlap time.Duration `yaml:"secret_overlap"`

	// Sources are the senders of POST /webhooks/{source}.
	Sources []Source `yaml:"sources"`

	// Destinations receive the events whose type, space and site they ask for.
	Destinations []Destination `yaml:"destinations"`

	// UnknownPatience is how long a delivery waits while no worker knows its destination, for
	// instance after the destination was removed or renamed without Destination.Formerly. Then it
	// is undelivered. Defaults to 24h; from 1m to 30d.
	UnknownPatience time.Duration `yaml:"unknown_patience"`

	// EgressProxy is the http, https or socks5 URL of the proxy through which deliveries leave,
	// user and password included. Destinations and installations with AllowPrivate are reached
	// directly. Defaults to none.
	EgressProxy Secret `yaml:"egress_proxy"`

	// Worker is the program that sends deliveries: WorkerSeparate, the default, or WorkerEmbedded.
	Worker string `yaml:"worker"`

	// MaxBodyBytes is the largest body of an incoming request, in bytes. Defaults to 1048576 (1
	// MiB); from 1024 to 1572864 (1.5 MiB), because Temporal refuses payloads over 2 MiB.
	MaxBodyBytes int64 `yaml:"max_body_bytes"`

	// MaxRequests is how many events are accepted at the same time; further ones wait for a slot.
	// With MaxBodyBytes it bounds the memory that senders can use. Defaults to 128; from 1 to
	// 10000.
	MaxRequests int `yaml:"max_requests"`
}

// Formats of the log.
const (
	// LogText writes one line of key=value pairs for each record.
	LogText = "text"
	// LogJSON writes one JSON object for each record.
	LogJSON = "json"
)

// AdminOff is the AdminListen of a program that serves no metrics and probes there.
const AdminOff = "off"

// Programs that can send deliveries.
const (
	// WorkerSeparate leaves sending to the worker program.
	WorkerSeparate = "separate"
	// WorkerEmbedded makes the starter send too, with less delay and less work for Temporal.
	WorkerEmbedded = "embedded"
)

// TLS names the PEM files of a certificate, both or neither. They are read again when they change.
type TLS struct {
	// Certificate is the file of the certificate and those of its issuers.
	Certificate string `yaml:"certificate"`

	// Key is the file of the certificate's private key.
	Key string `yaml:"key"`
}

// Access says who may call. Each token is at least 16 characters of printable ASCII without spaces.
// Both routes need one unless Config.Listen is a loopback address.
type Access struct {
	// Tokens allow both /v1 and /api.
	Tokens []Secret `yaml:"tokens"`

	// EventTokens allow sending events to /v1, and nothing else.
	EventTokens []Secret `yaml:"event_tokens"`

	// APITokens allow /api, and nothing else.
	APITokens []Secret `yaml:"api_tokens"`
}

// ForEvents returns the tokens that open /v1.
func (a Access) ForEvents() []string { return reveal(a.Tokens, a.EventTokens) }

// ForAPI returns the tokens that open /api.
func (a Access) ForAPI() []string { return reveal(a.Tokens, a.APITokens) }

func reveal(lists ...[]Secret) []string {
	var texts []string
	for _, secret := range slices.Concat(lists...) {
		texts = append(texts, secret.Reveal())
	}
	return texts
}

// An Installation is one installation of the GitBook integration.
type Installation struct {
	// ID is GitBook's id of the installation, or "*" for any. At most 128 visible ASCII characters
	// without "/" and "@".
	ID string `yaml:"id"`

	// AllowPrivate permits a URL that leads to a loopback or private address. Defaults to false.
	AllowPrivate bool `yaml:"allow_private"`
}

// A Source is a sender of signed events: GitBook's hosted Webhook integration.
type Source struct {
	// Name is the last segment of its path: 1 to 63 of a-z, 0-9 and "-", not beginning with "-".
	Name string `yaml:"name"`

	// Secrets verify its signatures; any may match. At least one.
	Secrets []Secret `yaml:"secrets"`
}

// A Destination is a webhook. [DefaultDestination] has its defaults.
type Destination struct {
	// Name identifies it in ids and addresses: 1 to 63 of a-z, 0-9 and "-", not beginning with "-".
	Name string `yaml:"name"`

	// Formerly are names that the destination had before. Deliveries of these names go to this
	// destination; see [Config.Resolve]. Defaults to none; at most 50 names, each of the form of
	// Name and used nowhere else.
	Formerly []string `yaml:"formerly"`

	// URL is the address that events are sent to: http or https, at most 2048 bytes, without user
	// info and fragment. Its query often holds a key, so it is shown through [DisplayURL] only.
	URL Secret `yaml:"url"`

	// Secrets sign each request, each with a signature of its own; the oldest comes last. At least
	// one.
	Secrets []Secret `yaml:"secrets"`

	// Events are the event types it receives. Defaults to those that GitBook documents for
	// webhooks.
	Events []string `yaml:"events"`

	// Spaces and Sites are the ids of the spaces and sites whose events it receives; empty means
	// all. See [Destination.Wants].
	Spaces []string `yaml:"spaces"`
	Sites  []string `yaml:"sites"`

	// Match are members that an event must have, as paths such as visitor.language, each with the
	// values that one of them may have; see [gitbook.Event.Matches]. Defaults to none; at most 20
	// paths with 100 values each.
	Match map[string][]string `yaml:"match"`

	// Timeout is the time one attempt may take. Defaults to 10s; from 100ms to 30s.
	Timeout time.Duration `yaml:"timeout"`

	// Retries are the waits before the second attempt and each after it, each lengthened by up to a
	// tenth. An empty list means a single attempt. Defaults to 1s, 2s, 4s; at most 50 waits of
	// 100ms to 30d.
	Retries []time.Duration `yaml:"retries"`

	// RetryAfterMax is the longest wait that a reply's Retry-After can ask for; 0 ignores the
	// header. Defaults to 60s; at most 24h.
	RetryAfterMax time.Duration `yaml:"retry_after_max"`

	// HoldAfter is how long it may fail, with no success in between, before its deliveries are held
	// until a probe finds it healthy again. Defaults to 0, which never holds; from 1m to 30d.
	HoldAfter time.Duration `yaml:"hold_after"`

	// Notify is the name of another destination that receives a notice when a delivery to this one
	// is given up, and when this one is held for failing. Defaults to none.
	Notify string `yaml:"notify"`

	// Concurrency is how many requests each worker has under way to it at most. Defaults to 0, no
	// limit; up to 1000.
	Concurrency int `yaml:"concurrency"`

	// RateLimit is how many requests each worker begins in a second at most. Defaults to 0, no
	// limit; from 0.01 to 1000.
	RateLimit float64 `yaml:"rate_limit"`

	// Redact are the members of an event that are removed before it is stored for this destination
	// and sent, as paths such as visitor.ip. Defaults to none.
	Redact []string `yaml:"redact"`

	// Headers are added to every request. Headers that Courier or HTTP itself sets are refused.
	// Defaults to none.
	Headers Headers `yaml:"headers"`

	// AllowPrivate permits a URL that leads to a loopback or private address. Defaults to false.
	AllowPrivate bool `yaml:"allow_private"`
}

// Default returns the configuration of an empty file: it listens on loopback and has no
// destination.
func Default() Config {
	return Config{
		Listen:          DefaultListen,
		LogFormat:       LogText,
		GitBookAPI:      DefaultGitBookAPI,
		SecretOverlap:   DefaultSecretOverlap,
		UnknownPatience: DefaultUnknownPatience,
		Worker:          WorkerSeparate,
		MaxBodyBytes:    DefaultMaxBodyBytes,
		MaxRequests:     DefaultMaxRequests,
	}
}

// DefaultDestination returns a destination with the defaults and without name, URL and secrets. Its
// schedule is also that of an installation's destination.
func DefaultDestination() Destination {
	return Destination{
		Events:        gitbook.DocumentedEvents(),
		Timeout:       DefaultTimeout,
		Retries:       []time.Duration{time.Second, 2 * time.Second, 4 * time.Second},
		RetryAfterMax: DefaultRetryAfterMax,
	}
}

// Destination returns the destination that has the name now. It does not look at former names; see
// [Config.Resolve].
func (c Config) Destination(name string) (Destination, bool) {
	return c.find(func(d Destination) bool { return d.Name == name })
}

// Resolve returns the destination that deliveries of the name go to: the one that has the name now,
// or had it before.
func (c Config) Resolve(name string) (Destination, bool) {
	return c.find(func(d Destination) bool { return slices.Contains(d.Names(), name) })
}

func (c Config) find(matches func(Destination) bool) (Destination, bool) {
	at := slices.IndexFunc(c.Destinations, matches)
	if at < 0 {
		return Destination{}, false
	}
	return c.Destinations[at], true
}

// Names returns the destination's name and then its former names, in a slice of the caller's own.
func (d Destination) Names() []string { return slices.Concat([]string{d.Name}, d.Formerly) }

// ValidInstallationID reports whether an id has the form of an installation's: 1 to 128 visible
// ASCII characters without "/" and "@".
func ValidInstallationID(id string) bool {
	return len(id) <= maxIDLength && installationIDPattern.MatchString(id)
}

// Keyring returns the keyring of SealingKeys, which is empty when there are none.
func (c Config) Keyring() (*seal.Keyring, error) {
	keys := make([][]byte, 0, len(c.SealingKeys))
	for i, encoded := range c.SealingKeys {
		key, err := seal.ParseKey(encoded.Reveal())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", item("sealing_keys", i), err)
		}
		keys = append(keys, key)
	}
	return seal.NewKeyring(keys...)
}

// Installation returns the entry for the installation: the one with its id, or else the one for any
// ("*"). It returns false when neither exists.
func (c Config) Installation(id string) (Installation, bool) {
	for _, wanted := range []string{id, anyInstallation} {
		for _, installation := range c.Installations {
			if installation.ID == wanted {
				return installation, true
			}
		}
	}
	return Installation{}, false
}

// AttemptTimeout is the longest time that one attempt can take: the longest timeout of any
// destination, and at least [DefaultTimeout], which installations' destinations have.
func (c Config) AttemptTimeout() time.Duration {
	longest := DefaultTimeout
	for _, destination := range c.Destinations {
		longest = max(longest, destination.Timeout)
	}
	return longest
}

// WorkerStopTimeout is how long a stopping worker waits for the attempts that are under way: longer
// than AttemptTimeout, so that a deploy cuts none.
func (c Config) WorkerStopTimeout() time.Duration { return c.AttemptTimeout() + shutdownStep }

// StopTimeout is how long the whole process may take to stop: longer than WorkerStopTimeout. It is
// 40s at most, so a supervisor that waits 60s before it kills the process never cuts an attempt.
func (c Config) StopTimeout() time.Duration { return c.WorkerStopTimeout() + shutdownStep }

// Limited reports whether the destination has Concurrency or RateLimit, so that requests may have
// to wait for their turn.
func (d Destination) Limited() bool { return d.Concurrency > 0 || d.RateLimit > 0 }

// Wants reports whether the destination asks for an event.
//
// An event passes when its type is listed and when no filter excludes it: a space or site that the
// event names must be listed where Spaces or Sites are given, and an event that names neither a
// listed space nor a listed site passes only when neither filter is given. Thus a destination with
// both filters gets the content updates of its spaces, which name no site, and the site views of
// its sites, which name no space. Every path of Match must have one of its values.
func (d Destination) Wants(event gitbook.Event) bool {
	if !slices.Contains(d.Events, event.Type) || !d.wantsPlace(event.SpaceID, event.SiteID) {
		return false
	}
	for path, values := range d.Match {
		if !event.Matches(path, values) {
			return false
		}
	}
	return true
}

// wantsPlace is whether the filters Spaces and Sites let an event of a space and a site pass, each
// empty when the event has none.
func (d Destination) wantsPlace(space, site string) bool {
	matched := len(d.Spaces) == 0 && len(d.Sites) == 0
	for _, filter := range []struct {
		listed []string
		id     string
	}{{d.Spaces, space}, {d.Sites, site}} {
		if len(filter.listed) == 0 || filter.id == "" {
			continue
		}
		if !slices.Contains(filter.listed, filter.id) {
			return false
		}
		matched = true
	}
	return matched
}
