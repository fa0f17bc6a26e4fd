package main

import (
	"maps"
	"reflect"
	"time"
)

// own is what a join says of oneself.
type own struct {
	username, status string
	state            object
}

type board struct {
	id                string
	own, said         own // said: by the last join, and the updates after it
	number, self      uint32
	joined, wasJoined bool // joined: on this connection
	degraded, closed  bool
	members           map[uint32]object
	missing           []object // known before, and not found again yet
	following         int      // entries of the roster that are still to come
	settling          bool
	cursors           map[uint32]bool
	count, users      uint32
	observed          bool // somebody looks who is no member
	shownStatus       string
	at, saidAt        *place
	cursorDue         time.Time
	cursorWaits       bool
	rejoinAfter       time.Duration
}

func (c *client) joined(b *board, m *message) {
	b.missing = nil
	for _, member := range b.members {
		b.missing = append(b.missing, merge(member, object{"status": "reconnecting"}).(object))
	}
	for actor := range b.cursors {
		b.showCursor(actor, nil)
	}
	b.number, b.self, b.count, b.users, b.observed = m.board, m.actor, m.members, m.users, m.observed
	b.members, b.following, b.settling = map[uint32]object{}, int(m.following), m.on
	b.place(m.moves)
	if b.settling {
		c.after(milliseconds(c.welcome.graceMs), func() { b.missing = nil; b.showRoster() })
	}
	b.joined, b.wasJoined, b.rejoinAfter, b.saidAt = true, true, rejoinFirst, nil
	c.showStatus(b)
	b.showListed(m.moves)
	if !reflect.DeepEqual(b.said, b.own) {
		c.sayJoin(b)
	}
	c.sayCursor(b)
}

// place puts a part of the roster on the board. Once it is whole, the missing are gone, unless the instance settles.
func (b *board) place(entries []move) {
	for _, entry := range entries {
		b.members[entry.actor] = entry.member
		b.found(entry.member)
	}
	if b.following <= 0 && !b.settling {
		b.missing = nil
	}
}

func (b *board) found(member object) {
	kept := b.missing[:0]
	for _, one := range b.missing {
		if one["memberId"] != member["memberId"] {
			kept = append(kept, one)
		}
	}
	b.missing = kept
}

func (b *board) showListed(entries []move) {
	b.showRoster()
	for _, entry := range entries {
		if entry.at != nil && entry.actor != b.self {
			b.showCursor(entry.actor, entry.at)
		}
	}
}

func (c *client) onBoard(b *board, m *message) {
	member := b.members[m.actor]
	switch {
	case m.kind == typeRoster:
		b.following -= len(m.moves)
		b.place(m.moves)
		b.showListed(m.moves)
		return
	case m.kind == typeStatuses:
		for _, actor := range m.actors { // one's own may be among them, and is no news
			if member := b.members[actor]; member != nil && actor != b.self {
				b.members[actor] = merge(member, m.patch).(object)
			}
		}
	case m.kind == typePresenceUpdate:
		b.count, b.users, b.observed = m.members, m.users, m.observed
		c.sayCursor(b)
	case m.kind == typeCursors:
		for _, moved := range m.moves {
			if b.members[moved.actor] != nil && moved.actor != b.self {
				b.showCursor(moved.actor, moved.at)
			}
		}
		return
	case m.kind == typeUserJoined:
		b.members[m.actor] = m.member
		b.found(m.member)
		c.sayCursor(b)
	case member == nil && (m.kind != typeEvent || m.member == nil):
		return
	case m.kind == typeEvent:
		if member == nil { // on a large board nobody may have introduced the sender, who is brought along then
			member = m.member
		}
		see(object{"see": "event", "board": b.id, "memberId": member["memberId"], "name": m.name, "data": m.data})
		return
	case m.kind == typeUserUpdated:
		changed := merge(member, m.patch).(object)
		if status, _ := changed["status"].(string); statusNumber(status) == 0 {
			changed["status"] = "active"
		}
		b.members[m.actor] = changed
		if _, moved := m.patch["area"]; moved {
			b.showCursor(m.actor, nil)
		}
	case m.kind == typeUserLeft && m.actor == b.self:
		c.off(b)
		return
	case m.kind == typeUserLeft:
		b.showCursor(m.actor, nil)
		delete(b.members, m.actor)
		see(object{"see": "left", "board": b.id, "memberId": member["memberId"], "reason": m.reason})
	}
	b.showRoster()
}

// What an app shows.

func (c *client) showStatus(b *board) {
	status := "connecting"
	switch {
	case b.closed:
		status = "closed"
	case b.joined && (c.degraded || b.degraded):
		status = "degraded"
	case b.joined:
		status = "connected"
	case b.wasJoined:
		status = "reconnecting"
	}
	if status != b.shownStatus {
		b.shownStatus = status
		see(object{"see": "status", "board": b.id, "status": status})
	}
}

func (b *board) showRoster() {
	members := append([]object{}, b.missing...)
	for _, member := range b.members {
		members = append(members, member)
	}
	see(object{"see": "roster", "board": b.id, "members": members, "count": b.count, "users": b.users})
}

// showCursor: this client is in no area, so it looks at the cursors of those who are in none.
func (b *board) showCursor(actor uint32, at *place) {
	if b.members[actor]["area"] != nil {
		at = nil
	}
	sight := object{"see": "cursor", "board": b.id, "memberId": b.members[actor]["memberId"]}
	if at != nil {
		b.cursors[actor] = true
		sight["x"], sight["y"] = at.x, at.y
	} else if b.cursors[actor] {
		delete(b.cursors, actor)
		sight["hidden"] = true
	} else {
		return
	}
	see(sight)
}

// merge is RFC 7396.
func merge(target, patch any) any {
	changes, isObject := patch.(object)
	if !isObject {
		return patch
	}
	merged := object{}
	if old, isObject := target.(object); isObject {
		merged = maps.Clone(old)
	}
	for key, value := range changes {
		if value == nil {
			delete(merged, key)
		} else {
			merged[key] = merge(merged[key], value)
		}
	}
	return merged
}
