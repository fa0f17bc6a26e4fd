"""A client of the presence service over presence.v2.json, written from docs/PROTOCOL.md with the standard library alone.

    python3 presence_client.py ws://localhost:3001/

It reads commands from stdin and prints what it sees, both as lines of JSON (docs/CLIENTS.md):

    {"do": "join", "board": "doc-42", "username": "Ana", "state": {}}
"""

import asyncio
import json
import os
import random
import secrets
import sys
import time

from websocket import LOST, NORMAL, Closed, WebSocket

DRAINING, UNAUTHORIZED, SUPERSEDED, HELLO_TIMEOUT = 4000, 4401, 4409, 4410
STATUSES = ("active", "idle", "reconnecting")
REASONS = ("left", "timeout", "kicked", "instance_lost")
CONNECT_S = 10
LIVED_S = 5


def merge(target, patch):
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    kept = target if isinstance(target, dict) else {}
    merged = {key: merge(kept.get(key), value) for key, value in patch.items() if value is not None}
    return {key: value for key, value in kept.items() if key not in patch} | merged


def known(member):
    """A member as it is shown: a status of a later release means active."""
    return member if member["status"] in STATUSES else {**member, "status": "active"}


class Board:
    def __init__(self, board_id, username, state):
        self.id, self.username, self.status, self.state = board_id, username, "active", state
        self.self_actor = None  # known once joined on this connection
        self.members = {}  # by actor
        self.missing = {}  # by memberId: known before, and not found again yet
        self.following = 0  # entries of the roster that are still to come
        self.settling = False
        self.cursors = {}  # by actor; only those that are shown
        self.count = self.users = 0
        self.observed = False  # somebody looks who is no member
        self.said = None  # name, status and state of the last join
        self.degraded = self.was_joined = self.closed = False
        self.shown_status = None
        self.at = self.said_at = None  # own cursor
        self.cursor_due = 0.0
        self.cursor_timer = None
        self.rejoin_s = 1.0

    @property
    def own(self):
        return self.username, self.status, self.state


class Presence:
    """One session on one connection at a time. `see` is called with everything that an app would show."""

    def __init__(self, url, tokens, see):
        self.url, self.tokens, self.see = url, list(tokens), see
        self.boards = {}
        self.wanted = asyncio.Event()
        self.socket = None
        self.welcome = None
        self.new_session()
        self.ended = self.degraded = self.fresh_tried = False
        self.goodbye = None

    def new_session(self):
        """In memory only; a page stores both, so that a reload resumes."""
        self.resume_token, self.attempt = secrets.token_hex(16), 0

    # What an app calls.

    def join(self, board_id, username, state):
        board = self.boards[board_id] = Board(board_id, username, state)
        self.show_status(board)
        self.wanted.set()
        self.say_join(board)

    def leave(self, board_id):
        if self.boards.pop(board_id, None):
            self.send({"kind": "leave", "board": board_id})

    def move(self, board_id, at):
        board = self.boards[board_id]
        board.at = at
        self.say_cursor(board)

    def update(self, board_id, status, patch):
        board = self.boards[board_id]
        board.status, board.state = status or board.status, merge(board.state, patch or {})
        if board.self_actor is None:
            return  # the join says it, or says it again once it is answered
        board.members[board.self_actor] |= {"status": board.status, "state": board.state}
        told = {"status": status} if status else {}
        self.send({"kind": "update", "board": board_id, **told, **({"state": patch} if patch else {})})
        board.said = board.own
        self.show_roster(board)

    def broadcast(self, board_id, name, data):
        if self.boards[board_id].self_actor is not None:
            self.send({"kind": "broadcast", "board": board_id, "name": name, "data": data})

    def close(self):
        self.ended = True
        if self.socket:
            self.socket.close(NORMAL)

    # The connection, made again and again.

    async def run(self):
        bound, failing_since = 1.0, 0.0
        while not self.ended:
            await self.wanted.wait()
            started, self.goodbye, self.superseded = time.monotonic(), None, False
            code = await self.connection()
            was_welcomed, self.welcome, self.socket, self.degraded = self.welcome is not None, None, None, False
            for board in self.boards.values():
                board.self_actor, board.degraded = None, False
                self.show_status(board)
            code, wait = self.goodbye or (code, 0.0)
            if code == SUPERSEDED or self.superseded:
                self.new_session()
            elif code == UNAUTHORIZED and len(self.tokens) > 1 and not self.fresh_tried:
                self.fresh_tried = True
                self.tokens.pop(0)
            elif 4400 <= code <= 4499 and code != HELLO_TIMEOUT:
                return self.give_up()
            now = time.monotonic()
            if self.goodbye or (was_welcomed and now - started > LIVED_S):
                bound = 1.0
            if bound == 1.0:
                failing_since = now
            bound = min(2 * bound, 5.0 if now - failing_since < 60 else 30.0)
            if not self.goodbye:
                wait = random.random() * (0.5 if code == DRAINING and bound == 2.0 else bound)
            await asyncio.sleep(wait)

    def give_up(self):
        for board in self.boards.values():
            board.closed = True
            self.show_status(board)

    async def connection(self):
        """One connection, until it is over. Returns its close code."""
        try:
            self.socket = await asyncio.wait_for(WebSocket.open(self.url, "presence.v2.json"), CONNECT_S)
        except (OSError, EOFError, asyncio.TimeoutError):
            return LOST
        hello = {"kind": "hello", "resumeToken": self.resume_token}
        self.send({**hello, "token": self.tokens[0]} if self.tokens else hello)
        for board in self.boards.values():
            self.say_join(board)
        try:
            while True:
                silence = 2.5 * max(1.0, self.welcome["heartbeatMs"] / 1000) if self.welcome else CONNECT_S
                text = await self.socket.receive(silence)
                try:
                    message = json.loads(text)
                    handler = getattr(self, f"on_{message['kind']}", None)
                    if handler:
                        handler(message)
                except (ValueError, LookupError, TypeError, AttributeError):
                    pass  # not a message, or one of a later release
        except Closed as closed:
            return closed.code

    def send(self, message):
        if self.socket:
            self.socket.send(json.dumps(message, ensure_ascii=False, separators=(",", ":")))

    def say_join(self, board):
        if not self.socket or board.closed:
            return
        self.attempt += 1
        board.said = board.own
        own = {"username": board.username, "status": board.status, "state": board.state}
        self.send({"kind": "join", "board": board.id, "attempt": self.attempt, **own})

    def say_cursor(self, board):
        """Not while nobody looks, not faster than cursorMs, and the last place always."""
        is_alone = len(board.members) < 2 and not board.observed
        if board.self_actor is None or is_alone or board.at == board.said_at or board.cursor_timer:
            return
        wait = board.cursor_due - time.monotonic()
        if wait > 0:
            board.cursor_timer = asyncio.get_running_loop().call_later(wait, self.cursor_is_due, board)
            return
        board.said_at, board.cursor_due = board.at, time.monotonic() + self.welcome["cursorMs"] / 1000
        self.send({"kind": "cursor", "board": board.id, **(board.at or {"hidden": True})})

    def cursor_is_due(self, board):
        board.cursor_timer = None
        self.say_cursor(board)

    # Messages of the service.

    def on_heartbeat(self, _message):
        self.send({"kind": "heartbeat"})

    def on_welcome(self, message):
        self.resume_token, self.welcome, self.fresh_tried = message["resumeToken"], message, False

    def on_joined(self, message):
        board = self.boards.get(message["board"])
        if board is None:
            return
        before = {member["memberId"]: member for member in board.members.values()}
        for actor in list(board.cursors):
            self.show_cursor(board, actor, None)
        board.members = {entry["actor"]: known(entry["member"]) for entry in message["roster"]}
        board.self_actor, board.count, board.users = message["self"], message["members"], message["users"]
        for member in board.members.values():
            before.pop(member["memberId"], None)
        board.following, board.settling = message.get("following", 0), message["settling"]
        board.observed = message.get("observed", False)
        board.missing = {id: {**member, "status": "reconnecting"} for id, member in before.items()}
        self.judge_missing(board)
        if board.settling:
            asyncio.get_running_loop().call_later(self.welcome["graceMs"] / 1000, self.forget_missing, board)
        board.was_joined, board.rejoin_s, board.said_at = True, 1.0, None
        self.show_status(board)
        self.show_roster(board)
        for entry in message["roster"]:
            if "x" in entry and entry["actor"] != board.self_actor:
                self.show_cursor(board, entry["actor"], {"x": entry["x"], "y": entry["y"]})
        if board.said != board.own:
            self.say_join(board)
        self.say_cursor(board)

    def on_roster(self, message):
        """More of the roster, on a large board."""
        board = self.boards[message["board"]]
        board.following -= len(message["roster"])
        for entry in message["roster"]:
            board.missing.pop(entry["member"]["memberId"], None)
            board.members[entry["actor"]] = known(entry["member"])
        self.judge_missing(board)
        self.show_roster(board)
        for entry in message["roster"]:
            if "x" in entry and entry["actor"] != board.self_actor:
                self.show_cursor(board, entry["actor"], {"x": entry["x"], "y": entry["y"]})

    def judge_missing(self, board):
        """Once the roster is whole, the missing are gone, unless the instance settles."""
        if board.following <= 0 and not board.settling:
            board.missing = {}

    def forget_missing(self, board):
        board.missing = {}
        self.show_roster(board)

    def on_user_joined(self, message):
        board = self.boards[message["board"]]
        board.missing.pop(message["member"]["memberId"], None)
        board.members[message["actor"]] = known(message["member"])
        self.show_roster(board)
        self.say_cursor(board)

    def on_user_updated(self, message):
        board = self.boards[message["board"]]
        board.members[message["actor"]] = known(merge(board.members[message["actor"]], message["patch"]))
        if "area" in message["patch"]:
            self.show_cursor(board, message["actor"], None)
        self.show_roster(board)

    def on_statuses(self, message):
        """The same status for many; one's own is among them at times, and is not news."""
        board = self.boards[message["board"]]
        for actor in message["actors"]:
            if actor in board.members and actor != board.self_actor:
                board.members[actor] = known(merge(board.members[actor], {"status": message["status"]}))
        self.show_roster(board)

    def on_user_left(self, message):
        board = self.boards[message["board"]]
        if message["actor"] == board.self_actor:
            return self.off(board)
        self.show_cursor(board, message["actor"], None)
        member = board.members.pop(message["actor"])
        reason = message["reason"] if message["reason"] in REASONS else "left"
        self.see({"see": "left", "board": board.id, "memberId": member["memberId"], "reason": reason})
        self.show_roster(board)

    def off(self, board):
        """Put off the board, or not let in: it is not joined again unless the app says so."""
        board.closed, board.self_actor = True, None
        self.show_status(board)
        self.boards.pop(board.id)

    def on_cursors(self, message):
        board = self.boards[message["board"]]
        for move in message["cursors"]:
            if move["actor"] in board.members and move["actor"] != board.self_actor:
                self.show_cursor(board, move["actor"], None if move.get("hidden") else {"x": move["x"], "y": move["y"]})

    def on_presence_update(self, message):
        board = self.boards[message["board"]]
        board.count, board.users, board.observed = message["members"], message["users"], message.get("observed", False)
        self.show_roster(board)
        self.say_cursor(board)

    def on_event(self, message):
        # On a large board the sender may be nobody who was introduced: then the event brings it along.
        member = self.boards[message["board"]].members.get(message["actor"]) or message["member"]
        event = {"name": message["name"], "data": message["data"]}
        self.see({"see": "event", "board": message["board"], "memberId": member["memberId"], **event})

    def on_announcement(self, message):
        self.see({"see": "announcement", "text": message["text"], "board": message.get("board")})

    def on_pace(self, message):
        self.welcome["cursorMs"] = message["cursorMs"]

    def on_degraded(self, message):
        if "board" in message:
            self.boards[message["board"]].degraded = message["on"]
        else:
            self.degraded = message["on"]
        for board in self.boards.values():
            self.show_status(board)

    def on_goodbye(self, message):
        self.goodbye = (message["code"], message["retryAfterMs"] / 1000)

    def on_token_expiring(self, _message):
        if len(self.tokens) > 1:
            self.tokens.pop(0)
            self.send({"kind": "auth", "token": self.tokens[0]})

    def on_error(self, message):
        code, board = message["code"], self.boards.get(message.get("ref"))
        self.see({"see": "error", "code": code, "message": message["message"], "ref": message.get("ref")})
        if code == "superseded":
            self.superseded = True
            self.socket.close(NORMAL)
        elif board and code == "bad_board":
            self.off(board)
        elif board and code in ("unavailable", "too_fast"):  # say all of it again, after a pause that grows
            asyncio.get_running_loop().call_later(board.rejoin_s, self.say_join, board)
            board.rejoin_s = min(2 * board.rejoin_s, 30.0)

    # What an app shows.

    def show_status(self, board):
        status = "degraded" if self.degraded or board.degraded else "connected"
        if board.self_actor is None:
            status = "closed" if board.closed else "reconnecting" if board.was_joined else "connecting"
        if status != board.shown_status:
            board.shown_status = status
            self.see({"see": "status", "board": board.id, "status": status})

    def show_roster(self, board):
        members = [*board.members.values(), *board.missing.values()]
        self.see({"see": "roster", "board": board.id, "members": members, "count": board.count, "users": board.users})

    def show_cursor(self, board, actor, at):
        """This client is in no area, so it looks at the cursors of those who are in none."""
        if board.members[actor].get("area"):
            at = None
        if at is None and board.cursors.pop(actor, None) is None:
            return
        if at is not None:
            board.cursors[actor] = at
        member_id = board.members[actor]["memberId"]
        self.see({"see": "cursor", "board": board.id, "memberId": member_id, **(at or {"hidden": True})})


async def main(url):
    tokens = [token for token in os.environ.get("PRESENCE_TOKENS", "").split(",") if token]
    presence = Presence(url, tokens, lambda sight: print(json.dumps(sight, ensure_ascii=False), flush=True))
    running = asyncio.create_task(presence.run())
    commands = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := await commands.readline():
        command = json.loads(line)
        what, board = command["do"], command["board"]
        if what == "join":
            presence.join(board, command["username"], command.get("state", {}))
        elif what == "leave":
            presence.leave(board)
        elif what in ("move", "hide"):
            presence.move(board, {"x": command["x"], "y": command["y"]} if what == "move" else None)
        elif what == "update":
            presence.update(board, command.get("status"), command.get("state"))
        elif what == "broadcast":
            presence.broadcast(board, command["name"], command["data"])
    presence.close()
    await asyncio.sleep(0.1)  # the close frame is on its way
    running.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
