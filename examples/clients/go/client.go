package main

import (
	"crypto/rand"
	"encoding/hex"
	mathrand "math/rand"
	"time"
)

const (
	closeDraining, closeUnauthorized, closeSuperseded, closeHelloTimeout = 4000, 4401, 4409, 4410

	connectTimeout = 10 * time.Second
	lived          = 5 * time.Second
	rejoinFirst    = time.Second
)

// client is one session on one connection at a time. All of it runs in one goroutine: others post functions to it.
type client struct {
	url                     string
	tokens                  []string
	posts                   chan func()
	boards                  map[string]*board
	ws                      *webSocket
	welcome                 *message
	resumeToken             string
	attempt                 uint32
	isWanted, isEnded       bool
	degraded, superseded    bool
	freshTried              bool
	goodbye                 *message
	startedAt, failingSince time.Time
	bound                   time.Duration
}

func (c *client) newSession() { // in memory only; a page stores both, so that a reload resumes
	secret := make([]byte, 16)
	rand.Read(secret)
	c.resumeToken, c.attempt = hex.EncodeToString(secret), 0
}

func (c *client) after(delay time.Duration, do func()) {
	time.AfterFunc(delay, func() { c.posts <- do })
}

// The connection, made again and again.

func (c *client) connect() {
	if c.isEnded {
		return
	}
	c.startedAt, c.goodbye, c.superseded = time.Now(), nil, false
	go func() {
		ws, err := dial(c.url, "presence.v2", connectTimeout)
		if err != nil {
			c.posts <- func() { c.lost(closeLost) }
			return
		}
		c.posts <- func() { c.opened(ws) }
		for {
			bytes, code := ws.receive()
			if bytes == nil && code != 0 {
				c.posts <- func() { c.lost(code) }
				return
			}
			c.posts <- func() { c.received(bytes) }
		}
	}()
}

func (c *client) opened(ws *webSocket) {
	c.ws = ws
	hello := (&writer{}).u8(typeHello)
	if len(c.tokens) > 0 {
		hello.extra(1, (&writer{}).text(c.tokens[0]).bytes)
	}
	secret, _ := hex.DecodeString(c.resumeToken)
	c.send(hello.extra(2, secret))
	for _, b := range c.boards {
		c.sayJoin(b)
	}
}

// lost decides by the close code whether and when to come back.
func (c *client) lost(code int) {
	wasWelcomed := c.welcome != nil
	c.ws, c.welcome, c.degraded = nil, nil, false
	for _, b := range c.boards {
		b.joined, b.degraded = false, false
		c.showStatus(b)
	}
	if c.goodbye != nil {
		code = int(c.goodbye.code)
	}
	switch {
	case c.isEnded:
		return
	case code == closeSuperseded || c.superseded:
		c.newSession()
	case code == closeUnauthorized && len(c.tokens) > 1 && !c.freshTried:
		c.freshTried, c.tokens = true, c.tokens[1:]
	case code >= 4400 && code <= 4499 && code != closeHelloTimeout:
		for _, b := range c.boards {
			b.closed = true
			c.showStatus(b)
		}
		return
	}
	if c.goodbye != nil || (wasWelcomed && time.Since(c.startedAt) > lived) {
		c.bound = time.Second
	}
	isFirst := c.bound == time.Second
	if isFirst {
		c.failingSince = time.Now()
	}
	most := 30 * time.Second
	if time.Since(c.failingSince) < time.Minute {
		most = 5 * time.Second
	}
	c.bound = min(2*c.bound, most)
	wait := time.Duration(mathrand.Float64() * float64(c.bound))
	if c.goodbye != nil {
		wait = milliseconds(c.goodbye.ms)
	} else if code == closeDraining && isFirst {
		wait /= 4
	}
	c.after(wait, c.connect)
}

func (c *client) send(w *writer) {
	if c.ws != nil {
		c.ws.write(opBinary, w.bytes)
	}
}

func (c *client) sayJoin(b *board) {
	if c.ws == nil || b.closed {
		return
	}
	c.attempt++
	b.said = b.own
	w := (&writer{}).u8(typeJoin).text(b.id).varint(c.attempt).text(b.own.username)
	c.send(w.u8(statusNumber(b.own.status)).json(b.own.state))
}

// sayCursor sends nothing while nobody looks, nothing faster than cursorMs, and the last place always.
func (c *client) sayCursor(b *board) {
	if !b.joined || (len(b.members) < 2 && !b.observed) || b.cursorWaits || b.at == b.saidAt {
		return
	}
	if wait := time.Until(b.cursorDue); wait > 0 {
		b.cursorWaits = true
		c.after(wait, func() { b.cursorWaits = false; c.sayCursor(b) })
		return
	}
	b.saidAt, b.cursorDue = b.at, time.Now().Add(milliseconds(c.welcome.cursorMs))
	c.send((&writer{}).u8(typeCursor).varint(b.number).place(b.at))
}

// Messages of the service.

func (c *client) received(bytes []byte) {
	m := decode(bytes)
	if m == nil || c.ws == nil {
		return
	}
	switch m.kind {
	case typeHeartbeat:
		c.send((&writer{}).u8(typeHeartbeat))
	case typeWelcome:
		c.welcome, c.resumeToken, c.freshTried = m, m.resumeToken, false
		c.ws.setSilence(milliseconds(max(m.heartbeatMs, 1000)) * 5 / 2)
	case typePace:
		c.welcome.cursorMs = m.cursorMs
	case typeGoodbye:
		c.goodbye = m
	case typeTokenExpiring:
		if len(c.tokens) > 1 {
			c.tokens = c.tokens[1:]
			c.send((&writer{}).u8(typeAuth).text(c.tokens[0]))
		}
	case typeError:
		c.refused(m)
	case typeAnnouncement:
		see(object{"see": "announcement", "text": m.text})
	case typeJoined:
		if b := c.boards[m.boardID]; b != nil {
			c.joined(b, m)
		}
	case typeDegraded:
		if b := c.numbered(m.board); m.hasBoard && b != nil {
			b.degraded = m.on
		} else if !m.hasBoard {
			c.degraded = m.on
		}
		for _, b := range c.boards {
			c.showStatus(b)
		}
	default:
		if b := c.numbered(m.board); b != nil {
			c.onBoard(b, m)
		}
	}
}

func (c *client) numbered(number uint32) *board {
	for _, b := range c.boards {
		if b.joined && b.number == number {
			return b
		}
	}
	return nil
}

func (c *client) refused(m *message) {
	see(object{"see": "error", "code": nameOf(errorNames, byte(m.code), "unknown"), "message": m.text, "ref": m.ref})
	b := c.boards[m.ref]
	switch {
	case m.code == errorSuperseded:
		c.superseded = true
		c.ws.close(closeNormal)
	case m.code == errorBadBoard && b != nil:
		c.off(b)
	case (m.code == errorUnavailable || m.code == errorTooFast) && b != nil: // say all of it again, after a pause that grows
		c.after(b.rejoinAfter, func() { c.sayJoin(b) })
		b.rejoinAfter = min(2*b.rejoinAfter, 30*time.Second)
	}
}

// off: put off the board, or not let in. It is not joined again unless the app says so.
func (c *client) off(b *board) {
	b.closed, b.joined = true, false
	c.showStatus(b)
	delete(c.boards, b.id)
}

func statusNumber(status string) byte {
	for number, name := range statuses {
		if name == status {
			return byte(number)
		}
	}
	return 0
}

func milliseconds(ms uint32) time.Duration { return time.Duration(ms) * time.Millisecond }
