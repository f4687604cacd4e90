package main

import (
	"bytes"
	"crypto/rand"
	"net"
	"strconv"
	"sync/atomic"

	"github.com/gitbook-courier/courier/gitbook"
)

const (
	boundary        = "courier-benchmark"
	formContentType = "multipart/form-data; boundary=" + boundary
	formHead        = "--" + boundary + "\r\nContent-Disposition: form-data; name=\"environment\"\r\n\r\n{}\r\n" +
		"--" + boundary + "\r\nContent-Disposition: form-data; name=\"event\"\r\n\r\n"
	formTail = "\r\n--" + boundary + "--\r\n"
)

// bodyLimit is Courier's default limit of a request's body.
const bodyLimit = gitbook.DefaultMaxBodyBytes

// payload is the body of a request that brings an event in.
type payload struct {
	id, space  string
	head, tail string
	// padding bytes come between head and tail.
	padding int
}

var (
	// eventPrefix keeps the ids of one run of the benchmark apart from those of another.
	eventPrefix = "evt_" + rand.Text()[:10] + "_"
	eventNumber atomic.Int64
)

// small is an event of the documented kind, in a space.
func small(space string) payload {
	return newPayload(space, typed)
}

// typed and untyped are the members of an event that say its type.
const (
	typed   = `"type":"` + gitbook.EventSpaceContentUpdated + `",`
	untyped = ""
)

// large is an event whose request is as large as Courier accepts. One that is untyped is refused,
// after all of it was read.
func large(space, eventType string) payload {
	p := newPayload(space, eventType)
	p.padding = bodyLimit - len(p.head) - len(p.tail)
	return p
}

// kilobyte is an event of 1 KB.
func kilobyte(space string) payload {
	p := newPayload(space, typed)
	p.padding = 1000 - (len(p.head) - len(formHead)) - (len(p.tail) - len(formTail))
	return p
}

func newPayload(space, eventType string) payload {
	id := eventPrefix + strconv.FormatInt(eventNumber.Add(1), 10)
	return payload{
		id: id, space: space,
		head: formHead + `{"eventId":"` + id + `",` + eventType + `"installationId":"inst_def456","spaceId":"` + space +
			`","revisionId":"rev_abc123def456`,
		tail: `"}` + formTail,
	}
}

// size is the payload's length in bytes.
func (p payload) size() int64 { return int64(len(p.head) + p.padding + len(p.tail)) }

// blank is what the padding of all payloads is taken of.
var blank = bytes.Repeat([]byte("x"), bodyLimit)

// buffers are the payload, without a copy of the padding.
func (p payload) buffers() net.Buffers {
	return net.Buffers{[]byte(p.head), blank[:p.padding], []byte(p.tail)}
}
