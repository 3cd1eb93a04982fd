#!/usr/bin/env python3
"""Kills `qalam serve` fifty times in the midst of writes, uploads and batches; nothing acknowledged may be lost.

    crash.py [--kills 50] [--program .build/release/qalam] [--model models/qalam-mini]
"""
import argparse
import json
import pathlib
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Server:
    """A server on a folder, started anew after each kill."""

    def __init__(self, program, model, folder):
        self.command = [program, "serve", "--port", "0", "--data", folder, "--model", model, "--log-level", "error"]
        self.start()

    def start(self):
        begun = time.monotonic()
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for line in self.process.stdout:
            found = re.search(r"https?://\S+", line)
            if found:
                self.address = found[0]
                return time.monotonic() - begun
        sys.exit("the server did not start")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def call(self, method, path, body=None, form=None):
        """The answer's JSON."""
        headers = {"Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        if form is not None:
            name, content, fields = form
            parts = [f'--b\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
                     for key, value in fields.items()]
            parts.append(f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="f"\r\n\r\n{content}\r\n')
            data = ("".join(parts) + "--b--\r\n").encode()
            headers = {"Content-Type": "multipart/form-data; boundary=b"}
        request = urllib.request.Request(self.address + path, data=data, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def bytes(self, file):
        with urllib.request.urlopen(f"{self.address}/v1/files/{file}/content", timeout=60) as answer:
            return answer.read().decode()


def write(server, kept, stop):
    """Makes records until the server is gone; what it acknowledges is kept."""
    number = 0
    try:
        while not stop.is_set():
            number += 1
            text = f"text {number} " * random.randint(1, 2000)
            made = server.call("POST", "/v1/files", form=("file", text, {"purpose": "user_data"}))
            kept["files"][made["id"]] = text
            made = server.call("POST", "/v1/conversations", {"items": [{"role": "user", "content": text[:50]}]})
            kept["conversations"].append(made["id"])
            upload = server.call("POST", "/v1/uploads", {
                "bytes": 6, "filename": "u", "mime_type": "text/plain", "purpose": "user_data"})["id"]
            parts = [server.call("POST", f"/v1/uploads/{upload}/parts", form=("data", part, {}))["id"]
                     for part in ("abc", "def")]
            file = server.call("POST", f"/v1/uploads/{upload}/complete", {"part_ids": parts})["file"]["id"]
            kept["files"][file] = "abcdef"
            line = {"method": "POST", "url": "/v1/chat/completions", "body": {
                "model": "qalam-mini", "max_tokens": 4, "messages": [{"role": "user", "content": "Hi"}]}}
            lines = "\n".join(json.dumps(line | {"custom_id": str(index)}) for index in range(5))
            file = server.call("POST", "/v1/files", form=("file", lines, {"purpose": "batch"}))["id"]
            batch = server.call("POST", "/v1/batches", {
                "input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"})["id"]
            kept["batches"].append(batch)
    except (OSError, ValueError):
        pass  # killed


def check(server, kept):
    """What is lost."""
    lost = []
    for file, text in kept["files"].items():
        try:
            if server.bytes(file) != text:
                lost.append(f"{file} is changed")
        except OSError as error:
            lost.append(f"{file}: {error}")
    for conversation in kept["conversations"]:
        try:
            if len(server.call("GET", f"/v1/conversations/{conversation}/items")["data"]) != 1:
                lost.append(f"{conversation} has other items")
        except OSError as error:
            lost.append(f"{conversation}: {error}")
    return lost


def finish(server, batches):
    """Waits for the batches: what is wrong with them."""
    wrong = []
    end = time.monotonic() + 300
    for batch in batches:
        state = server.call("GET", f"/v1/batches/{batch}")
        while state["status"] in ("validating", "in_progress", "finalizing") and time.monotonic() < end:
            time.sleep(0.2)
            state = server.call("GET", f"/v1/batches/{batch}")
        if state["status"] != "completed" or state["request_counts"] != {"total": 5, "completed": 5, "failed": 0}:
            wrong.append(f"{batch} is {state['status']} with {state['request_counts']}")
            continue
        answers = [json.loads(line) for line in server.bytes(state["output_file_id"]).splitlines()]
        if [answer["custom_id"] for answer in answers] != [str(index) for index in range(5)]:
            wrong.append(f"{batch} has other answers")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--program", default=".build/release/qalam")
    parser.add_argument("--model", default="models/qalam-mini")
    options = parser.parse_args()
    kept = {"files": {}, "conversations": [], "batches": []}
    starts = []
    with tempfile.TemporaryDirectory() as folder:
        server = Server(options.program, options.model, folder)
        for _ in range(options.kills):
            stop = threading.Event()
            threads = [threading.Thread(target=write, args=(server, kept, stop)) for _ in range(3)]
            for thread in threads:
                thread.start()
            time.sleep(random.uniform(0.05, 0.6))
            server.kill()
            stop.set()
            for thread in threads:
                thread.join()
            starts.append(server.start())
        faults = check(server, kept) + finish(server, kept["batches"])
        server.process.terminate()
        server.process.wait()
        sound = sqlite3.connect(f"{folder}/qalam.sqlite").execute("PRAGMA integrity_check").fetchone()[0]
        if sound != "ok":
            faults.append(f"integrity_check: {sound}")
    print(f"{options.kills} kills, {len(kept['files'])} files, {len(kept['conversations'])} conversations, "
          f"{len(kept['batches'])} batches; slowest start {max(starts):.2f} s; {len(faults)} faults")
    for fault in faults[:20]:
        print(fault)
    sys.exit(1 if faults else 0)


main()
