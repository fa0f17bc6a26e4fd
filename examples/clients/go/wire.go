package main

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"unicode/utf8"
)

// The messages of presence.v2 (docs/PROTOCOL.md). Those of clients are written by writer, those of the service read by decode.
const (
	typeHello, typeJoin, typeLeave, typeCursor, typeUpdate, typeBroadcast, typeAuth, typeHeartbeat = 1, 2, 3, 4, 5, 6, 7, 8

	typeWelcome, typeJoined, typeUserJoined, typeUserUpdated, typeUserLeft = 0x41, 0x42, 0x43, 0x44, 0x45
	typeCursors, typePresenceUpdate, typeEvent, typeAnnouncement, typePace = 0x46, 0x47, 0x48, 0x49, 0x4a
	typeDegraded, typeError, typeGoodbye, typeTokenExpiring, typeRoster    = 0x4b, 0x4c, 0x4d, 0x4e, 0x4f
	typeStatuses                                                           = 0x52
	errorBadBoard, errorSuperseded, errorTooFast, errorUnavailable         = 1, 6, 8, 9
)

var (
	statuses   = []string{"active", "idle", "reconnecting"}
	reasons    = []string{"left", "timeout", "kicked", "instance_lost"}
	errorNames = []string{"bad_message", "bad_board", "bad_username", "bad_state", "not_joined", "too_many_boards",
		"superseded", "unauthorized", "too_fast", "unavailable", "unknown_message", "observing", "too_many_watched", "not_allowed"}
)

// nameOf gives the name of a number; one of a later release means `unknown`.
func nameOf(names []string, number byte, unknown string) string {
	if int(number) < len(names) {
		return names[number]
	}
	return unknown
}

type object = map[string]any

type place struct{ x, y int32 }

// A move's place is nil where the cursor is hidden. An entry of a roster has a member as well.
type move struct {
	actor  uint32
	at     *place
	member object
}

// message has the fields of all messages of the service; each kind uses some.
type message struct {
	kind                                   byte
	resumeToken, boardID, name, text, ref  string
	board, actor, members, users, code, ms uint32
	heartbeatMs, graceMs, cursorMs         uint32
	following                              uint32
	on, hasBoard, observed                 bool
	reason                                 string
	moves                                  []move
	member, patch                          object
	actors                                 []uint32
	data                                   any
}

// decode returns nil for what is no message, is wrong, or is newer than this client.
func decode(bytes []byte) *message {
	r := &reader{rest: bytes}
	m := &message{kind: r.u8()}
	extra := func(uint32, *reader) {}
	switch m.kind {
	case typeHeartbeat:
	case typeWelcome:
		r.hex(16)
		m.resumeToken = r.hex(16)
		r.hex(16)
		m.heartbeatMs, m.graceMs, m.cursorMs = r.varint(), r.varint(), r.varint()
		r.varint()
	case typeJoined:
		m.boardID, m.board, m.actor = r.text(), r.varint(), r.varint()
		m.on = r.u8() == 1
		m.members, m.users = r.varint(), r.varint()
		m.readRoster(r)
		extra = func(key uint32, field *reader) {
			if key == 2 {
				m.observed = field.u8() == 1
			} else if key == 3 {
				m.following = field.varint()
			}
		}
	case typeRoster:
		m.board = r.varint()
		m.readRoster(r)
	case typeUserJoined:
		m.board, m.actor, m.member = r.varint(), r.varint(), r.member()
	case typeUserUpdated:
		m.board, m.actor, m.patch = r.varint(), r.varint(), r.object()
	case typeStatuses:
		m.board = r.varint()
		m.patch = object{"status": nameOf(statuses, r.u8(), "active")}
		for left := r.varint(); left > 0 && !r.failed; left-- {
			m.actors = append(m.actors, r.varint())
		}
	case typeUserLeft:
		m.board, m.actor = r.varint(), r.varint()
		m.reason = nameOf(reasons, r.u8(), "left")
	case typeCursors:
		m.board = r.varint()
		r.take(2)
		for left := r.varint(); left > 0 && !r.failed; left-- {
			m.moves = append(m.moves, r.move())
		}
	case typePresenceUpdate:
		m.board, m.members, m.users = r.varint(), r.varint(), r.varint()
		extra = func(key uint32, field *reader) {
			if key == 1 {
				m.observed = field.u8() == 1
			}
		}
	case typeEvent:
		m.board, m.actor, m.name, m.data = r.varint(), r.varint(), r.text(), r.json()
		extra = func(key uint32, field *reader) {
			if key == 1 {
				m.member = field.member()
			}
		}
	case typeAnnouncement:
		m.text = r.text()
		extra = m.readBoard
	case typePace:
		m.cursorMs = r.varint()
	case typeDegraded:
		m.on = r.u8() == 1
		extra = m.readBoard
	case typeError:
		m.code, m.text = uint32(r.u8()), r.text()
		extra = func(key uint32, field *reader) {
			if key == 1 {
				m.ref = field.text()
			}
		}
	case typeGoodbye:
		m.code = uint32(binary.BigEndian.Uint16(r.take(2)))
		m.ms = r.varint()
	case typeTokenExpiring:
		m.ms = r.varint()
	default:
		return nil
	}
	r.extras(extra)
	if r.failed {
		return nil
	}
	return m
}

func (m *message) readRoster(r *reader) {
	for left := r.varint(); left > 0 && !r.failed; left-- {
		entry := r.move()
		entry.member = r.member()
		m.moves = append(m.moves, entry)
	}
}

func (m *message) readBoard(key uint32, field *reader) {
	if key == 1 {
		m.board, m.hasBoard = field.varint(), true
	}
}

// reader fails once and gives zeros from then on.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) take(count uint32) []byte {
	if r.failed || uint64(len(r.rest)) < uint64(count) {
		r.failed = true
		return make([]byte, min(count, 16))
	}
	taken := r.rest[:count]
	r.rest = r.rest[count:]
	return taken
}

func (r *reader) u8() byte { return r.take(1)[0] }

func (r *reader) varint() uint32 {
	var value uint64
	for shift := 0; shift < 35; shift += 7 {
		b := r.u8()
		value |= uint64(b&0x7f) << shift
		if b < 0x80 {
			r.failed = r.failed || (b == 0 && shift > 0) || value > 0xffffffff
			return uint32(value)
		}
	}
	r.failed = true
	return 0
}

func (r *reader) hex(count uint32) string { return hex.EncodeToString(r.take(count)) }

func (r *reader) text() string {
	bytes := r.take(r.varint())
	r.failed = r.failed || !utf8.Valid(bytes)
	return string(bytes)
}

func (r *reader) json() (value any) {
	text := r.text()
	r.failed = r.failed || json.Unmarshal([]byte(text), &value) != nil
	return value
}

func (r *reader) object() object {
	value, isObject := r.json().(object)
	r.failed = r.failed || !isObject
	return value
}

func (r *reader) move() move {
	head := r.varint()
	m := move{actor: head >> 2}
	switch head & 3 {
	case 0:
		m.at = &place{int32(binary.BigEndian.Uint16(r.take(2))), int32(binary.BigEndian.Uint16(r.take(2)))}
	case 2:
		m.at = &place{int32(binary.BigEndian.Uint32(r.take(4))), int32(binary.BigEndian.Uint32(r.take(4)))}
	case 3:
		r.failed = true
	}
	return m
}

// member gives a member as it is in JSON, so that a patch of user_updated fits.
func (r *reader) member() object {
	id, color, flags := r.hex(16), "#"+r.hex(3), r.u8()
	m := object{"memberId": id, "userId": id, "color": color, "status": nameOf(statuses, flags&0x0f, "active")}
	if flags&0x10 != 0 {
		m["userId"] = r.text()
	}
	m["username"] = r.text()
	if flags&0x20 != 0 {
		m["avatar"] = r.text()
	}
	m["state"] = r.object()
	own := &reader{rest: r.take(r.varint()), failed: r.failed}
	own.extras(func(key uint32, field *reader) {
		if key == 4 {
			m["area"] = field.text()
		}
	})
	r.failed = own.failed
	return m
}

// extras reads the extra fields to the end: ascending keys, each with the length of its value.
func (r *reader) extras(known func(key uint32, field *reader)) {
	for last := uint32(0); len(r.rest) > 0 && !r.failed; {
		key := r.varint()
		field := &reader{rest: r.take(r.varint())}
		r.failed = r.failed || key <= last
		last = key
		known(key, field)
		r.failed = r.failed || field.failed
	}
}

type writer struct{ bytes []byte }

func (w *writer) varint(value uint32) *writer {
	w.bytes = binary.AppendUvarint(w.bytes, uint64(value))
	return w
}

func (w *writer) text(text string) *writer {
	w.varint(uint32(len(text)))
	w.bytes = append(w.bytes, text...)
	return w
}

func (w *writer) json(value any) *writer {
	text, _ := json.Marshal(value)
	return w.text(string(text))
}

func (w *writer) u8(value byte) *writer {
	w.bytes = append(w.bytes, value)
	return w
}

func (w *writer) extra(key uint32, value []byte) *writer {
	w.varint(key).varint(uint32(len(value)))
	w.bytes = append(w.bytes, value...)
	return w
}

// place writes the sender's own cursor; nil: hidden.
func (w *writer) place(at *place) *writer {
	switch {
	case at == nil:
		w.u8(1)
	case at.x >= 0 && at.x <= 0xffff && at.y >= 0 && at.y <= 0xffff:
		w.bytes = append(w.bytes, 0, byte(at.x>>8), byte(at.x), byte(at.y>>8), byte(at.y))
	default:
		w.u8(2)
		w.bytes = binary.BigEndian.AppendUint32(w.bytes, uint32(at.x))
		w.bytes = binary.BigEndian.AppendUint32(w.bytes, uint32(at.y))
	}
	return w
}
