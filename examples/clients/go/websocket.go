package main

import (
	"bufio"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	opContinuation, opBinary, opClose, opPing, opPong  = 0x0, 0x2, 0x8, 0x9, 0xA
	closeNormal, closeNoStatus, closeLost, closeSilent = 1000, 1005, 1006, 4001
)

// webSocket is RFC 6455 as far as a client of binary messages needs it: no extensions, no fragments of its own.
type webSocket struct {
	conn    net.Conn
	reader  *bufio.Reader
	silence atomic.Int64 // of the service, in nanoseconds, until it counts as dead
	writing sync.Mutex
}

func dial(address, subprotocol string, timeout time.Duration) (*webSocket, error) {
	target, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: timeout}
	var conn net.Conn
	if target.Scheme == "wss" {
		conn, err = tls.DialWithDialer(dialer, "tcp", hostPort(target, "443"), nil)
	} else {
		conn, err = dialer.Dial("tcp", hostPort(target, "80"))
	}
	if err != nil {
		return nil, err
	}
	ws := &webSocket{conn: conn, reader: bufio.NewReader(conn)}
	ws.setSilence(timeout)
	nonce := make([]byte, 16)
	rand.Read(nonce)
	key := base64.StdEncoding.EncodeToString(nonce)
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: %s\r\n\r\n",
		target.RequestURI(), target.Host, key, subprotocol)
	answer, err := http.ReadResponse(ws.reader, nil)
	if err != nil {
		conn.Close()
		return nil, err
	}
	hash := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	accepted := answer.Header.Get("Sec-WebSocket-Accept") == base64.StdEncoding.EncodeToString(hash[:])
	if !accepted || answer.Header.Get("Sec-WebSocket-Protocol") != subprotocol {
		conn.Close()
		return nil, errors.New(answer.Status)
	}
	return ws, nil
}

func hostPort(target *url.URL, port string) string {
	if target.Port() != "" {
		port = target.Port()
	}
	return net.JoinHostPort(target.Hostname(), port)
}

func (ws *webSocket) setSilence(silence time.Duration) {
	ws.silence.Store(int64(silence))
	ws.conn.SetReadDeadline(time.Now().Add(silence))
}

// receive returns the next message, or nil and the close code. Any frame is a sign of life.
func (ws *webSocket) receive() ([]byte, int) {
	var message []byte
	for {
		head, payload, err := ws.frame()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			ws.close(closeSilent)
			return nil, closeSilent
		}
		if err != nil {
			ws.conn.Close()
			return nil, closeLost
		}
		ws.setSilence(time.Duration(ws.silence.Load()))
		switch head & 0x0f {
		case opPing:
			ws.write(opPong, payload)
		case opClose:
			ws.close(closeNormal)
			if len(payload) < 2 {
				return nil, closeNoStatus
			}
			return nil, int(binary.BigEndian.Uint16(payload))
		case opBinary, opContinuation:
			message = append(message, payload...)
			if head&0x80 != 0 {
				return append([]byte{}, message...), 0
			}
		}
	}
}

func (ws *webSocket) frame() (byte, []byte, error) {
	head := make([]byte, 10)
	if _, err := io.ReadFull(ws.reader, head[:2]); err != nil {
		return 0, nil, err
	}
	length := uint64(head[1] & 0x7f)
	if length >= 126 {
		wide := head[2:4]
		if length == 127 {
			wide = head[2:10]
		}
		if _, err := io.ReadFull(ws.reader, wide); err != nil {
			return 0, nil, err
		}
		length = 0
		for _, b := range wide {
			length = length<<8 | uint64(b)
		}
	}
	payload := make([]byte, length)
	_, err := io.ReadFull(ws.reader, payload)
	return head[0], payload, err
}

func (ws *webSocket) write(opcode byte, payload []byte) {
	frame := []byte{0x80 | opcode}
	if len(payload) < 126 {
		frame = append(frame, 0x80|byte(len(payload)))
	} else { // no message of a client is larger than 16 KiB
		frame = append(frame, 0x80|126, byte(len(payload)>>8), byte(len(payload)))
	}
	mask := make([]byte, 4)
	rand.Read(mask)
	frame = append(frame, mask...)
	for at, b := range payload {
		frame = append(frame, b^mask[at%4])
	}
	ws.writing.Lock()
	defer ws.writing.Unlock()
	ws.conn.Write(frame)
}

func (ws *webSocket) close(code int) {
	ws.write(opClose, []byte{byte(code >> 8), byte(code)})
	ws.conn.Close()
}
