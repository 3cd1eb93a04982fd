#!/usr/bin/env python3
"""Holds a thousand streams that wait for their first token, and says how much memory each takes in the server.

    streams.py [--streams 1000] [--limit 30] [--program .build/release/qalam] [--model models/qalam-mini]

The model answers one request at a time, so that all others wait, each with its connection, its request and its stream.
Ends with status 1 if a stream takes more than the limit (KB), or if one of them ends with an error.
"""
import argparse
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness import ROOT, Row, merge_rows, shown


def private(pid):
    """KB that belong to the process alone."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(size) for size in re.findall(r"^Private_(?:Clean|Dirty): +(\d+) kB", text, re.M))


def ask(port, model, number):
    """A connection on which a stream was asked for."""
    body = json.dumps({
        "model": model, "stream": True, "max_tokens": 400, "messages": [
            {"role": "user", "content": f"Tell me a long story about the number {number}."}]})
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    return connection


def settled(pid):
    """KB once they no longer change."""
    last = private(pid)
    for _ in range(30):
        time.sleep(0.3)
        now = private(pid)
        if abs(now - last) < 128:
            return now
        last = now
    return last


def measure(options):
    """KB of each stream, and how many of them were alive."""
    model = Path(options.model).name.removesuffix(".gguf")
    with tempfile.TemporaryDirectory() as folder:
        command = [options.program, "serve", "--port", "0", "--data", folder, "--model", options.model,
                   "--log-level", "error", "--answer-limit", "65536", "--queue-limit", "65536", "--max-sequences", "1"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        try:
            port = int(re.search(r":(\d+)\s*$", process.stdout.readline())[1])
            # Whatever is made once is made now.
            first = [ask(port, model, number) for number in range(50)]
            before = settled(process.pid)
            streams = [ask(port, model, 50 + number) for number in range(options.streams)]
            after = settled(process.pid)
            alive = sum(stream.recv(12) == b"HTTP/1.1 200" for stream in streams)
            for connection in first + streams:
                connection.close()
        finally:
            process.terminate()
            process.wait()
    return (after - before) / options.streams, alive, shown(command[:2] + command[6:8])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--limit", type=float, default=30)
    parser.add_argument("--program", default=ROOT / ".build/release/qalam")
    parser.add_argument("--model", default=ROOT / "models/qalam-mini")
    options = parser.parse_args()
    size, alive, command = measure(options)
    print(f"{options.streams} waiting streams: {size:.1f} KB each, {alive} of them answered")
    note = f"{options.streams} streams that wait for their first token; the aim is {options.limit:.0f} KB"
    merge_rows([Row("server idle stream", size, None, "KB", "lower", command, "nothing", note=note).record()])
    return 1 if size > options.limit or alive < options.streams else 0


sys.exit(main())
