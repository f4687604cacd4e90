package server

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// connections bounds how many are open. One too many costs the one that has been silent for
// longest: without a first request if there is such a one, else between two requests. So clients
// that open connections and say nothing crowd out each other, and not those that have a request to
// make, as they would if new connections had to wait for old ones to close.
type connections struct {
	most int

	mu sync.Mutex
	// open has the element of fresh or idle that a connection is, nil while it has a request.
	open        map[net.Conn]*list.Element
	fresh, idle list.List
}

func newConnections(most int) *connections {
	return &connections{most: most, open: make(map[net.Conn]*list.Element)}
}

// track is the http.Server's ConnState. The server calls it with StateActive when the headers of a
// request have come, all of them.
func (c *connections) track(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy(conn)
	switch state {
	case http.StateNew:
		c.open[conn] = c.fresh.PushBack(conn)
		if len(c.open) > c.most {
			c.hangUp(conn)
		}
	case http.StateActive:
	case http.StateIdle:
		c.open[conn] = c.idle.PushBack(conn)
	case http.StateClosed, http.StateHijacked:
		delete(c.open, conn)
	}
}

// busy takes a connection out of the silent ones.
func (c *connections) busy(conn net.Conn) {
	element := c.open[conn]
	if element == nil {
		return
	}
	c.fresh.Remove(element)
	c.idle.Remove(element)
	c.open[conn] = nil
}

// hangUp closes a silent connection, the newest only when no other is silent. The server then
// reports it closed.
func (c *connections) hangUp(newest net.Conn) {
	silent := c.fresh.Front()
	if silent.Value == newest && c.idle.Len() > 0 {
		silent = c.idle.Front()
	}
	conn := silent.Value.(net.Conn)
	c.busy(conn)
	// TLS would first say goodbye, to a client that may not listen.
	if wrapped, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = wrapped.NetConn()
	}
	_ = conn.Close()
}
