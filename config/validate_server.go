package config

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// server checks the keys of the starter and those that no list has.
func (v *validator) server(c Config) {
	v.listen("listen", c.Listen, DefaultListen)
	if c.AdminListen != "" && c.AdminListen != AdminOff {
		v.listen("admin_listen", c.AdminListen, DefaultAdminListen)
	}
	if c.LogFormat != LogText && c.LogFormat != LogJSON {
		v.add("log_format", c.LogFormat, "is neither %s nor %s", LogText, LogJSON)
	}
	v.access(c)
	v.tls(c.TLS)
	v.encryption(c)
	v.baseURL("gitbook_api", c.GitBookAPI, DefaultGitBookAPI)
	if c.UIURL != "" {
		v.baseURL("ui_url", c.UIURL, "https://temporal.example.com")
	}
	v.egressProxy(c.EgressProxy.Reveal())
	if c.Worker != WorkerSeparate && c.Worker != WorkerEmbedded {
		v.add("worker", c.Worker, "is neither %s nor %s", WorkerSeparate, WorkerEmbedded)
	}
	v.duration("secret_overlap", c.SecretOverlap, 0, maxSecretOverlap)
	v.duration("unknown_patience", c.UnknownPatience, minUnknownPatience, maxUnknownPatience)
	if c.MaxBodyBytes < minBodyBytes || c.MaxBodyBytes > maxBodyBytes {
		v.add("max_body_bytes", strconv.FormatInt(c.MaxBodyBytes, 10), "is not between %d and %d", minBodyBytes, maxBodyBytes)
	}
	if c.MaxRequests < 1 || c.MaxRequests > maxRequests {
		v.add("max_requests", strconv.Itoa(c.MaxRequests), "is not between 1 and %d", maxRequests)
	}
}

func (v *validator) listen(field, listen, example string) {
	host, port, err := net.SplitHostPort(listen)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	_, addrErr := netip.ParseAddr(host)
	if err != nil || host != "" && addrErr != nil && !hostPattern.MatchString(host) {
		v.add(field, listen, "is not host:port with a port of at most 65535, such as %s", example)
	}
}

// IsLoopback reports whether only this machine can reach an address, given with or without its
// port. A name other than localhost could lead anywhere.
func IsLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

func (v *validator) access(c Config) {
	_, _, err := net.SplitHostPort(c.Listen) // listen reports an address that is not host:port.
	if err == nil && !IsLoopback(c.Listen) {
		v.required(c.Access)
	}
	tokens := unique{}
	v.tokens("access.tokens", c.Access.Tokens, tokens)
	v.tokens("access.event_tokens", c.Access.EventTokens, tokens)
	v.tokens("access.api_tokens", c.Access.APITokens, tokens)
}

// required checks that no route is without a token.
func (v *validator) required(a Access) {
	events, api := len(a.ForEvents()) > 0, len(a.ForAPI()) > 0
	const because = "is required, because listen is not a loopback address; give a token of at least %d characters"
	switch {
	case !events && !api:
		v.addFor("listen", "access.tokens", "", because, minTokenLength)
	case !events:
		v.addFor("listen", "access.event_tokens", "", because, minTokenLength)
	case !api:
		v.addFor("listen", "access.api_tokens", "", because, minTokenLength)
	}
}

func (v *validator) tokens(field string, list []Secret, seen unique) {
	for i, token := range list {
		field := item(field, i)
		switch first, twice := seen.seen(token.Reveal(), field); {
		case token == "":
			v.add(field, "", "is empty")
		case twice:
			v.add(field, "", "is the same as %s", first)
		case !visiblePattern.MatchString(token.Reveal()):
			v.add(field, "", "must be printable ASCII without spaces and line breaks")
		case len(token) < minTokenLength:
			v.add(field, "", "is shorter than %d characters; make one with `openssl rand -hex 32`", minTokenLength)
		}
	}
}

func (v *validator) tls(t TLS) {
	switch {
	case t.Key != "" && t.Certificate == "":
		v.addFor("tls.key", "tls.certificate", "", "is required beside tls.key; give the file of the certificate")
	case t.Certificate != "" && t.Key == "":
		v.addFor("tls.certificate", "tls.key", "", "is required beside tls.certificate; give the file of its private key")
	}
}

func (v *validator) encryption(c Config) {
	if c.EncryptPayloads && len(c.SealingKeys) == 0 {
		v.addFor("encrypt_payloads", "sealing_keys", "",
			"is required, because encrypt_payloads is true; make a key with `openssl rand -base64 32`")
	}
	for i, origin := range c.UIOrigins {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Scheme+"://"+u.Host != origin {
			v.add(item("ui_origins", i), origin, "is not an origin, such as https://temporal.example.com, without a path")
		}
	}
}

// egressProxy checks a URL whose user and password are secret, so that no message shows it.
func (v *validator) egressProxy(raw string) {
	if raw == "" {
		return
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5" || u.Hostname() == "" {
		v.add("egress_proxy", "", "is not an http, https or socks5 URL with a host")
	}
}

// baseURL checks the address of a service, to which paths are added.
func (v *validator) baseURL(field, raw, example string) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		v.add(field, "", "is not an http or https URL with a host, such as %s", example)
		return
	}
	if u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(raw, "#") {
		v.add(field, "", "has a user, a query or a fragment; leave it out")
	}
}
