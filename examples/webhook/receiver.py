#!/usr/bin/env python3
"""Takes the events of a chatd (docs/webhooks.md) and wakes the phones of who does not read.

    receiver.py --port 8080 --secret-file FILE --push-url https://push.example/send

It checks the signature, tells each reader of each event once, and answers 200 only when all of a request is done: what it could not do
comes again. It needs Python 3.8 and nothing else.
"""

import argparse
import collections
import hashlib
import hmac
import http.server
import json
import time
import urllib.request

# How far the clocks of both ends may be apart, in seconds. An older request may be one that somebody has overheard.
LEEWAY_S = 300
# Bytes of a request at most, and pushes that are remembered: more would be somebody else's.
REQUEST_BYTES = 8 << 20
REMEMBERED = 100_000

seen = collections.OrderedDict()


def is_signed(secret, header, body):
    """X-Chatd-Signature: t=<seconds>,v1=<hex of HMAC-SHA256 of t, a dot and the body>."""
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    seconds, signature = parts.get("t", ""), parts.get("v1", "")
    if not seconds.isdigit() or abs(time.time() - int(seconds)) > LEEWAY_S:
        return False
    wanted = hmac.new(secret, seconds.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, signature)


def push(url, event, reader):
    """Hands one message to the push service, for all devices of one reader."""
    frame = event.get("frame") or {}
    note = {
        "to": str(reader.get("external", reader["user"])),
        "devices": reader["devices"],
        "from": frame.get("name"),
        "text": frame.get("msg", ""),
    }
    if "groupid" in event:
        note["group"] = event["groupid"]
    request = urllib.request.Request(url, json.dumps(note).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=3):
        pass


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if length > REQUEST_BYTES:
            return self.answer(413)
        body = self.rfile.read(length)
        if not is_signed(self.server.secret, self.headers.get("X-Chatd-Signature", ""), body):
            return self.answer(401)
        try:
            for event in json.loads(body)["events"]:
                self.take(event)
        except OSError as why:
            # The rest comes again, in the same order.
            self.log_error("the push service: %s", why)
            return self.answer(503)
        self.answer(200)

    def take(self, event):
        if event["type"] != "undelivered":
            return
        # Of a group there are several readers in one event.
        for reader in event.get("users", [event]):
            # By the number of the event: a request that comes again may have more in it than before.
            once = (event["id"], reader["user"])
            if once in seen:
                continue
            push(self.server.push_url, event, reader)
            seen[once] = True
            if len(seen) > REMEMBERED:
                seen.popitem(last=False)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_request(self, *_):
        pass


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--port", type=int, default=8080)
    options.add_argument("--secret-file", required=True)
    options.add_argument("--push-url", required=True)
    options = options.parse_args()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Receiver)
    with open(options.secret_file, "rb") as file:
        server.secret = file.read().rstrip(b"\r\n")
    server.push_url = options.push_url
    print("ready", server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
