"""RFC 6455 as far as a client of text messages needs it: no extensions, no fragments of its own."""

import asyncio
import base64
import hashlib
import os
from urllib.parse import urlsplit

CONTINUATION, TEXT, CLOSE, PING, PONG = 0x0, 0x1, 0x8, 0x9, 0xA
NORMAL, NO_STATUS, LOST, UNRESPONSIVE = 1000, 1005, 1006, 4001


class Closed(Exception):
    """The connection is over, with this close code."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


class WebSocket:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, url, subprotocol):
        parts = urlsplit(url)
        secure = parts.scheme == "wss"
        port = parts.port or (443 if secure else 80)
        reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=True if secure else None)
        key = base64.b64encode(os.urandom(16)).decode()
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {subprotocol}\r\n\r\n".encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        accept = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()).decode()
        if headers.get("sec-websocket-accept") != accept or headers.get("sec-websocket-protocol") != subprotocol:
            writer.close()
            raise ConnectionError(head[0])
        return cls(reader, writer)

    async def receive(self, silence_s):
        """The next message; raises Closed. Any byte is a sign of life, so a ping makes the silence begin anew."""
        message = b""
        while True:
            try:
                opcode, is_last, payload = await asyncio.wait_for(self._frame(), silence_s)
            except asyncio.TimeoutError:
                self.close(UNRESPONSIVE)
                raise Closed(UNRESPONSIVE) from None
            except (OSError, EOFError):
                self.writer.close()
                raise Closed(LOST) from None
            if opcode == PING:
                self._send(PONG, payload)
            elif opcode == CLOSE:
                code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else NO_STATUS
                self.close(NORMAL)
                raise Closed(code)
            elif opcode in (TEXT, CONTINUATION):
                message += payload
                if is_last:
                    return message.decode("utf-8", "replace")

    async def _frame(self):
        first, second = await self.reader.readexactly(2)
        length = second & 0x7F
        if length >= 126:
            length = int.from_bytes(await self.reader.readexactly(2 if length == 126 else 8), "big")
        return first & 0x0F, bool(first & 0x80), await self.reader.readexactly(length)

    def send(self, text):
        self._send(TEXT, text.encode())

    def close(self, code):
        self._send(CLOSE, code.to_bytes(2, "big"))
        self.writer.close()

    def _send(self, opcode, payload):
        size, mask = len(payload), os.urandom(4)  # no message of a client is larger than 16 KiB
        length = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + size.to_bytes(2, "big")
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        self.writer.write(bytes([0x80 | opcode]) + length + mask + masked)
