package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// loopback is where the server's services talk to each other.
const loopback = "127.0.0.1"

// addresses are the listening addresses of the server's four services.
type addresses struct {
	frontend                  *net.TCPAddr
	history, matching, worker *net.TCPAddr
}

// frontendDial is the frontend's address as this process dials it.
func (a addresses) frontendDial() string { return dialable(a.frontend).String() }

// reserve finds out, before the server starts, that every address can be had. The server opens its
// listeners itself, so theirs are closed again; the UI's listener is the one that will serve.
func reserve(o Options) (_ addresses, ui net.Listener, err error) {
	var probes []net.Listener
	defer func() {
		for _, l := range probes {
			_ = l.Close()
		}
		if err != nil && ui != nil {
			_ = ui.Close()
		}
	}()
	probe := func(what, address, remedy string) (*net.TCPAddr, error) {
		l, err := listen(what, address, remedy)
		if err != nil {
			return nil, err
		}
		probes = append(probes, l)
		return l.Addr().(*net.TCPAddr), nil
	}

	var a addresses
	if a.frontend, err = probe("Temporal", o.TemporalListen, "--temporal-listen or COURIER_TEMPORAL_LISTEN"); err != nil {
		return a, nil, err
	}
	for _, internal := range []**net.TCPAddr{&a.history, &a.matching, &a.worker} {
		if *internal, err = probe("internal", net.JoinHostPort(loopback, "0"), ""); err != nil {
			return a, nil, err
		}
	}
	if o.UIListen != "" {
		ui, err = listen("UI", o.UIListen, "--ui-listen or COURIER_UI_LISTEN")
	}
	return a, ui, err
}

func listen(what, address, remedy string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("the %s address %q is not host:port; set %s", what, address, remedy)
	}
	if host == "localhost" {
		host = loopback
	}
	if net.ParseIP(host) == nil {
		return nil, fmt.Errorf("the %s address %q needs an IP address or localhost as its host; set %s", what, address, remedy)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return nil, fmt.Errorf("the %s address %q needs a port from 0 to 65535; set %s", what, address, remedy)
	} else {
		port = strconv.FormatUint(n, 10)
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort(host, port))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("the %s port %s is taken by another process; set %s", what, address, remedy)
	case err != nil:
		return nil, fmt.Errorf("the %s address %s cannot be listened on (%w); set %s", what, address, syscallError(err), remedy)
	}
	return l, nil
}

// syscallError leaves out the operation and the address, which the message around it names.
func syscallError(err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	return err
}

// dialable turns a listening address into one that can be dialled: the unspecified address becomes
// loopback.
func dialable(a *net.TCPAddr) *net.TCPAddr {
	switch {
	case !a.IP.IsUnspecified():
		return a
	case a.IP.To4() != nil:
		return &net.TCPAddr{IP: net.ParseIP(loopback), Port: a.Port}
	default:
		return &net.TCPAddr{IP: net.IPv6loopback, Port: a.Port}
	}
}
