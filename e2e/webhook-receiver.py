"""Receives webhooks and judges their signatures by means that share nothing with the program: Python's hmac and the
openssl command. Usage: webhook-receiver.py SECRET. Prints {"port": ...}, then one line of JSON for each request."""

import base64
import hashlib
import hmac
import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

SECRET = sys.argv[1].encode()


def by_openssl(message: bytes) -> bytes:
    command = ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", "hexkey:" + SECRET.hex(), "-binary"]
    return subprocess.run(command, input=message, capture_output=True, check=True).stdout


def by_hmac(message: bytes) -> bytes:
    return hmac.new(SECRET, message, hashlib.sha256).digest()


def say(line: dict) -> None:
    print(json.dumps(line), flush=True)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
        standard = self.headers["webhook-signature"].split(" ")
        original = self.headers["x-webhook-signature"]
        say({
            "standard_by_hmac": "v1," + base64.b64encode(by_hmac(signed)).decode() in standard,
            "standard_by_openssl": "v1," + base64.b64encode(by_openssl(signed)).decode() in standard,
            "original_by_hmac": hmac.compare_digest(by_hmac(body).hex(), original),
            "original_by_openssl": by_openssl(body).hex() == original,
            "id": self.headers["webhook-id"],
            "event_header": self.headers["x-webhook-event"],
            "timestamp_header": self.headers["x-webhook-timestamp"],
            "body": json.loads(body),
        })
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Receiver)
say({"port": server.server_port})
server.serve_forever()
