"""A receiver as it should be: it verifies first, keeps each event in a database before it answers, drops duplicates,
and does its work after the answer, also after a crash.

    WEBHOOK_SECRET=… python3 example.py

PORT is 3000 by default, DATABASE receiver.db, and KEEP_DAYS 90: for so long an event is known. It must be longer than
the longest time after which Courier may send an event again: the destination's schedule plus the retention of Temporal.
"""

import json
import os
import signal
import sqlite3
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from courier import SignatureError, verify

SECRETS = [os.environ.get("WEBHOOK_SECRET", ""), os.environ.get("WEBHOOK_SECRET_OLD", "")]
DATABASE = os.environ.get("DATABASE", "receiver.db")
KEEP = float(os.environ.get("KEEP_DAYS", "90")) * 24 * 60 * 60
MAX_BODY_BYTES = 1 << 20
READ_TIMEOUT = 10  # seconds

stored = threading.Event()


def connect() -> sqlite3.Connection:
    # Each statement is a transaction of its own, and waits for the others.
    return sqlite3.connect(DATABASE, isolation_level=None, timeout=10)


def handle(event) -> None:
    """What should happen for an event. It may run twice for one event, when the machine crashes in between."""
    print(f"handled {event['type']} {event['eventId']}", flush=True)


def work() -> None:
    """Works off what is stored, the oldest first, one at a time."""
    database = connect()
    while True:
        stored.clear()
        try:
            for event_id, body in database.execute("SELECT id, body FROM events WHERE done IS NULL ORDER BY received").fetchall():
                handle(json.loads(body))
                # The id stays, so that the event is known when it comes again; its content is not needed any more.
                database.execute("UPDATE events SET done = ?, body = NULL WHERE id = ?", (time.time(), event_id))
            database.execute("DELETE FROM events WHERE done < ?", (time.time() - KEEP,))
            stored.wait(60 * 60)
        except Exception as error:
            print("the work goes on in 10 s:", error, file=sys.stderr)
            time.sleep(10)


class Receiver(BaseHTTPRequestHandler):
    timeout = READ_TIMEOUT

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            return self.answer(411, "the length of the body is missing")
        if len(length) > 9 or int(length) > MAX_BODY_BYTES:
            return self.answer(413, "the body is too large")
        body = self.rfile.read(int(length))
        try:
            event = verify(body, self.headers.get("X-GitBook-Signature"), SECRETS)
        except SignatureError as error:
            # Without a secret every event would be lost: a 500 has the sender try again.
            return self.answer(500 if error.code == "no_secret" else 401, str(error))
        # The id is taken from the body, which is signed.
        event_id = event.get("eventId")
        if not isinstance(event_id, str):
            return self.answer(400, "the event has no eventId")
        database = connect()
        try:
            new = database.execute(
                "INSERT OR IGNORE INTO events (id, received, body) VALUES (?, ?, ?)", (event_id, time.time(), body.decode())
            ).rowcount
        finally:
            database.close()
        self.answer(200, "stored" if new else "known already")
        stored.set()

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_) -> None:
        pass


def main() -> None:
    connect().execute("CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, received REAL NOT NULL, body TEXT, done REAL)")
    threading.Thread(target=work, daemon=True).start()
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "3000"))), Receiver)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"listening on http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
