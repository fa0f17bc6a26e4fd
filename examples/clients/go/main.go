// A client of the presence service over presence.v2, written from docs/PROTOCOL.md with the standard library alone.
//
//	go run . ws://localhost:3001/
//
// It reads commands from stdin and prints what it sees, both as lines of JSON (docs/CLIENTS.md):
//
//	{"do": "join", "board": "doc-42", "username": "Ana", "state": {}}
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
	"time"
)

// Commands of the app.

type command struct {
	Do, Board, Username, Status, Name string
	X, Y                              int32
	State                             object
	Data                              any
}

func (c *client) obey(do command) {
	b := c.boards[do.Board]
	if do.Do == "join" {
		b = &board{id: do.Board, own: own{do.Username, "active", merge(object{}, do.State).(object)}, cursors: map[uint32]bool{}, rejoinAfter: rejoinFirst}
		c.boards[b.id] = b
		c.showStatus(b)
		if !c.isWanted {
			c.isWanted = true
			c.connect()
		}
		c.sayJoin(b)
	}
	if b == nil {
		return
	}
	switch do.Do {
	case "move":
		b.at = &place{do.X, do.Y}
		c.sayCursor(b)
	case "hide":
		b.at = nil
		c.sayCursor(b)
	case "update":
		c.update(b, do.Status, do.State)
	case "broadcast":
		if b.joined {
			c.send((&writer{}).u8(typeBroadcast).varint(b.number).text(do.Name).json(do.Data))
		}
	case "leave":
		if b.joined {
			c.send((&writer{}).u8(typeLeave).varint(b.number))
		}
		delete(c.boards, b.id)
	}
}

func (c *client) update(b *board, status string, patch object) {
	w := (&writer{}).u8(typeUpdate).varint(b.number)
	if status != "" {
		b.own.status = status
		w.extra(1, []byte{statusNumber(status)})
	}
	if patch != nil {
		b.own.state = merge(b.own.state, patch).(object)
		w.extra(2, (&writer{}).json(patch).bytes)
	}
	if b.joined { // else the join says it, or says it again once it is answered
		c.send(w)
		b.said = b.own
		me := maps.Clone(b.members[b.self])
		me["status"], me["state"] = b.own.status, b.own.state
		b.members[b.self] = me
		b.showRoster()
	}
}

func see(sight object) {
	line, _ := json.Marshal(sight)
	fmt.Println(string(line))
}

func main() {
	tokens := strings.FieldsFunc(os.Getenv("PRESENCE_TOKENS"), func(r rune) bool { return r == ',' })
	c := &client{url: os.Args[1], tokens: tokens, posts: make(chan func(), 100), boards: map[string]*board{}, bound: time.Second}
	c.newSession()
	commands := make(chan command)
	go func() {
		lines := json.NewDecoder(bufio.NewReader(os.Stdin))
		for {
			var do command
			if lines.Decode(&do) != nil {
				close(commands)
				return
			}
			commands <- do
		}
	}()
	for {
		select {
		case post := <-c.posts:
			post()
		case do, isOpen := <-commands:
			if isOpen {
				c.obey(do)
				continue
			}
			if c.ws != nil {
				c.ws.close(closeNormal)
				time.Sleep(100 * time.Millisecond) // the close frame is on its way
			}
			return
		}
	}
}
