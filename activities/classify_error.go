package activities

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"

	"code.dny.dev/ssrf"
)

// stage is how far a request came.
type stage int

const (
	// stageBefore is before there was a connection.
	stageBefore stage = iota
	// stageConnected is a connection on which TLS or a proxy is still to be agreed on.
	stageConnected
	// stageTLS is a TLS handshake that failed.
	stageTLS
	// stageRequest is a connection on which the request was, or may have been, sent.
	stageRequest
)

// sendError is why a request has no reply. It does not unwrap, and its text is one of the reasons:
// those of the transport quote headers, certificates and name servers.
type sendError struct {
	err   error
	stage stage
	isTLS bool
}

func (e *sendError) Error() string { return classifyError(e).reason }

// errNotHTTP is a reply that is not HTTP although net/http takes it.
var errNotHTTP = errors.New("malformed HTTP reply")

// The reasons of attempts without a reply. They are all there are, besides those of an
// addressError, a headerError and a proxyStatusError: no text that a destination, its certificate,
// a proxy or a name server can influence stands in a reason. An address that was dialled may
// follow.
const (
	reasonForbidden      = "the address is private or reserved; set allow_private to permit it"
	reasonHeader         = "a header of the destination cannot be sent; correct headers in the configuration"
	reasonStopped        = "the worker was stopped during the request"
	reasonStoppedBefore  = "the worker was stopped before the request"
	reasonNoDescriptor   = "this worker has no file descriptor left; raise its limit of open files"
	reasonNoPort         = "this worker has no port left to connect from"
	reasonNoMemory       = "this worker's system has no memory left for a connection"
	reasonNoRoots        = "this worker could not read its system's certificate authorities"
	reasonTimeout        = "no answer within the timeout"
	reasonTimeoutConnect = "no answer within the timeout: no connection could be made"
	reasonTimeoutTLS     = "no answer within the timeout: the TLS handshake did not end; does the port speak TLS?"
	reasonNoSuchHost     = "the host of the URL does not exist (no such host); check the URL and the name server's records"
	reasonDNSTimeout     = "the name server did not answer within the timeout"
	reasonDNS            = "the host of the URL could not be looked up; check the URL and this worker's name server"
	reasonRefused        = "connection refused; does the receiver run and listen on this port?"
	reasonNoRoute        = "no route to the address; check the URL and the network"
	reasonNotPermitted   = "this machine's firewall does not permit the connection"
	reasonNoAddress      = "this machine has no address from which the destination can be reached; does it have IPv6?"
	reasonConnect        = "the connection could not be made"
	reasonReset          = "the connection was reset before there was an answer"
	reasonClosed         = "the connection was closed without an answer"
	reasonClosedPlain    = "the connection was closed without an answer; if the port speaks TLS, the URL must begin with https://"
	reasonPlainToTLS     = "the port speaks TLS, not plain HTTP; the URL must begin with https://"
	reasonTLSToPlain     = "the port does not speak TLS; if it speaks plain HTTP, the URL must begin with http://"
	reasonTLSClosed      = "the connection was closed during the TLS handshake; does the port speak TLS?"
	reasonTLSRefused     = "the receiver refused the TLS handshake"
	reasonTLSVersion     = "the receiver and Courier have no version of TLS in common; Courier speaks 1.2 and 1.3"
	reasonTLSClientCert  = "the receiver demands a client certificate, which Courier does not have"
	reasonTLSName        = "the receiver's certificate is not valid for the host of the URL"
	reasonTLSExpired     = "the receiver's certificate has expired or is not valid yet"
	reasonTLSAuthority   = "the receiver's certificate is signed by an unknown authority; give its whole chain, or let this worker's system trust its authority"
	reasonTLSCertificate = "the receiver's certificate is not valid"
	reasonTLS            = "the TLS handshake failed"
	reasonNotHTTP        = "the answer is not valid HTTP"
	reasonLongHeaders    = "the headers of the answer are longer than 64 KiB"
	reasonGoAway         = "the receiver ended the HTTP/2 connection"
	reasonStream         = "the receiver broke off the request (HTTP/2 stream error)"
	reasonHTTP2          = "the answer is not valid HTTP/2"
	reasonLost           = "the HTTP/2 connection was lost: a ping had no answer"
	reasonProxyAnswer    = "its answer is not that of a proxy"
	reasonProxyConnect   = "it could not connect to the destination"
	reasonOther          = "the request failed before there was an answer"
)

// classifyError is the verdict on an attempt without a reply.
func classifyError(err error) verdict {
	if proxied, ok := errors.AsType[*proxyError](err); ok {
		verdict := classifyError(proxied.err)
		verdict.reason = proxied.prefix() + verdict.reason
		return verdict
	}
	failed, ok := errors.AsType[*sendError](err)
	if !ok {
		failed = &sendError{err: err, stage: stageRequest, isTLS: true}
	}
	err = failed.err
	if address, ok := errors.AsType[*addressError](err); ok {
		return verdict{outcome: FailureAddressForbidden, reason: address.Error()}
	}
	if header, ok := errors.AsType[*headerError](err); ok {
		return verdict{outcome: FailureRejected, reason: header.Error()}
	}
	if status, ok := errors.AsType[proxyStatusError](err); ok {
		return verdict{outcome: FailureUnavailable, reason: status.Error(), retry: true}
	}
	if own := ownTrouble(failed); own != "" {
		return verdict{outcome: FailureUnavailable, reason: own, retry: true, notSent: true}
	}
	switch {
	case errors.Is(err, ssrf.ErrProhibitedIP), errors.Is(err, ssrf.ErrProhibitedNetwork), errors.Is(err, ssrf.ErrInvalidHostPort):
		return verdict{outcome: FailureAddressForbidden, reason: reasonForbidden + dialled(err)}
	case strings.HasPrefix(err.Error(), "net/http: invalid header "):
		return verdict{outcome: FailureRejected, reason: reasonHeader}
	}
	return verdict{outcome: FailureUnavailable, reason: reasonOf(failed), retry: true}
}

// ownTrouble is the reason when this worker could not make the request, empty otherwise.
func ownTrouble(failed *sendError) string {
	err := failed.err
	if failed.stage == stageRequest && !isDial(err) {
		return ""
	}
	// A resolver that got no socket says so in the text alone.
	var lookup string
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		lookup = dns.Err
	}
	for _, own := range []struct {
		errno  syscall.Errno
		reason string
	}{
		{syscall.EMFILE, reasonNoDescriptor},
		{syscall.ENFILE, reasonNoDescriptor},
		{syscall.ENOBUFS, reasonNoMemory},
		{syscall.ENOMEM, reasonNoMemory},
	} {
		if errors.Is(err, own.errno) || strings.Contains(lookup, own.errno.Error()) {
			return own.reason
		}
	}
	_, noRoots := errors.AsType[x509.SystemRootsError](err)
	switch {
	case errors.Is(err, errNoPort), strings.Contains(lookup, syscall.EADDRNOTAVAIL.Error()):
		return reasonNoPort
	case noRoots:
		return reasonNoRoots
	case errors.Is(err, context.Canceled):
		return reasonStoppedBefore
	}
	return ""
}

// isDial is whether an error is of a dial, whatever else is known.
func isDial(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	_, lookup := errors.AsType[*net.DNSError](err)
	return lookup || ok && (op.Op == "dial" || op.Op == "proxyconnect")
}

// reasonOf puts an error of the transport into one of the reasons.
func reasonOf(failed *sendError) string {
	err := failed.err
	if reason := reasonOfLookup(err); reason != "" {
		return reason
	}
	switch {
	case errors.Is(err, context.Canceled):
		return reasonStopped
	case isTimeout(err):
		switch {
		case failed.stage == stageBefore:
			return reasonTimeoutConnect
		case failed.stage < stageRequest && failed.isTLS:
			return reasonTimeoutTLS
		}
		return reasonTimeout
	}
	if reason := reasonOfConnection(err); reason != "" {
		return reason
	}
	if reason := reasonOfTLS(failed); reason != "" {
		return reason
	}
	if reason := reasonOfHTTP2(err); reason != "" {
		return reason
	}
	return reasonOfHTTP(failed)
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

func reasonOfLookup(err error) string {
	dns, ok := errors.AsType[*net.DNSError](err)
	switch {
	case !ok:
		return ""
	case dns.IsNotFound:
		return reasonNoSuchHost
	case dns.IsTimeout:
		return reasonDNSTimeout
	}
	return reasonDNS
}

// reasonOfConnection is the reason for what the operating system says.
func reasonOfConnection(err error) string {
	op, ok := errors.AsType[*net.OpError](err)
	if ok && strings.HasPrefix(op.Op, "socks") {
		return reasonProxyConnect
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return reasonRefused + dialled(err)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTDOWN), errors.Is(err, syscall.ENETDOWN):
		return reasonNoRoute + dialled(err)
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		return reasonNotPermitted + dialled(err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return reasonNoAddress + dialled(err)
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		return reasonReset
	case isDial(err):
		return reasonConnect + dialled(err)
	}
	return ""
}

// dialled is the address that was dialled, to stand behind a reason.
func dialled(err error) string {
	for op, ok := errors.AsType[*net.OpError](err); ok; op, ok = errors.AsType[*net.OpError](op.Err) {
		if to, isTCP := op.Addr.(*net.TCPAddr); isTCP && op.Op == "dial" {
			return " (" + to.String() + ")"
		}
	}
	return ""
}

// reasonOfTLS is the reason for what went wrong in a TLS handshake, empty when there was none.
func reasonOfTLS(failed *sendError) string {
	err := failed.err
	if reason := reasonOfCertificate(err); reason != "" {
		return reason
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return reasonTLSToPlain
	}
	// An alert of the other end; of those after the handshake, TLS 1.3 refuses the client's
	// certificate by one.
	op, ok := errors.AsType[*net.OpError](err)
	alert := ok && op.Op == "remote error"
	if failed.stage != stageTLS && !alert {
		return ""
	}
	text := err.Error()
	switch {
	case alert && (strings.Contains(text, "certificate required") || strings.Contains(text, "bad certificate")):
		return reasonTLSClientCert
	case strings.Contains(text, "protocol version"):
		return reasonTLSVersion
	case alert:
		return reasonTLSRefused
	case isEOF(err):
		return reasonTLSClosed
	}
	return reasonTLS
}

func reasonOfCertificate(err error) string {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if invalid.Reason == x509.Expired {
			return reasonTLSExpired
		}
		return reasonTLSCertificate
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return reasonTLSName
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return reasonTLSAuthority
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return reasonTLSCertificate
	}
	return ""
}

func isEOF(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// http2StreamError has the fields of net/http's own stream error, which fills it in errors.As.
type http2StreamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (http2StreamError) Error() string { return reasonStream }

// http2Codes are the names of the error codes (RFC 9113, section 7).
var http2Codes = []string{
	"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR",
	"REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
}

// reasonOfHTTP2 is the reason for an error of HTTP/2, empty for others. Their types are not
// exported.
func reasonOfHTTP2(err error) string {
	if stream, ok := errors.AsType[http2StreamError](err); ok {
		if int64(stream.Code) < int64(len(http2Codes)) {
			return reasonStream + ": " + http2Codes[stream.Code]
		}
		return reasonStream
	}
	text := err.Error()
	switch {
	case strings.Contains(text, "response header list larger than"):
		return reasonLongHeaders
	case strings.Contains(text, "GOAWAY"):
		for _, name := range http2Codes {
			if strings.Contains(text, "ErrCode="+name+",") || strings.HasSuffix(text, "ErrCode:"+name) {
				return reasonGoAway + ": " + name
			}
		}
		return reasonGoAway
	case strings.Contains(text, "client connection lost"):
		return reasonLost
	case strings.HasPrefix(text, "http2: client conn"):
		return reasonClosed
	case strings.HasPrefix(text, "connection error: "), strings.HasPrefix(text, "http2: "):
		return reasonHTTP2
	}
	return ""
}

// reasonOfHTTP is the reason for an error of HTTP/1.1, or for one that is not known.
func reasonOfHTTP(failed *sendError) string {
	text := failed.err.Error()
	closed := isEOF(failed.err) || strings.Contains(text, "server closed idle connection") || errors.Is(failed.err, net.ErrClosed)
	switch {
	case strings.Contains(text, "server response headers exceeded"):
		return reasonLongHeaders
	case failed.stage == stageConnected:
		return reasonProxyAnswer // or its silence
	case closed && !failed.isTLS:
		return reasonClosedPlain
	case closed:
		return reasonClosed
	case strings.Contains(text, `malformed HTTP response "\x15\x03`): // a TLS alert
		return reasonPlainToTLS
	case strings.Contains(text, "malformed"), strings.Contains(text, "HTTP/1.x transport connection broken"), errors.Is(failed.err, http.ErrLineTooLong):
		return reasonNotHTTP
	}
	return reasonOther
}
