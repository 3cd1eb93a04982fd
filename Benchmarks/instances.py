#!/usr/bin/env python3
"""Two instances of Qalam on one store behind a balancer (deploy/): one is killed under load, and nothing fails.

    instances.py [--balancer nginx|haproxy] [--requests 200] [--program .build/release/qalam]
                 [--model models/qalam-mini]
"""
import argparse
import concurrent.futures
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

BALANCERS = {
    "nginx": ["nginx", "-c", "deploy/nginx.conf", "-g", "daemon off;"],
    "haproxy": ["haproxy", "-f", "deploy/haproxy.cfg"],
}
ROOT = pathlib.Path(__file__).resolve().parent.parent
BASE = "http://127.0.0.1:8000"


def call(method, path, body=None):
    """The status and JSON of an answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        BASE + path, data=data, headers={"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def ask(number):
    """A chat, and a conversation that is read again, perhaps from the other instance."""
    call("POST", "/v1/chat/completions", {
        "model": "qalam-mini", "max_tokens": 16, "seed": number,
        "messages": [{"role": "user", "content": f"Tell me about number {number}."}]})
    made = call("POST", "/v1/conversations", {"metadata": {"number": str(number)}})
    assert call("GET", f"/v1/conversations/{made['id']}")["metadata"] == {"number": str(number)}


def attempt(number):
    """What went wrong; None: nothing."""
    try:
        ask(number)
    except Exception as error:
        return f"{number}: {error!r}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--balancer", choices=BALANCERS, default="nginx")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--program", default=".build/release/qalam")
    parser.add_argument("--model", default="models/qalam-mini")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        servers = [
            subprocess.Popen([options.program, "serve", "--port", str(port), "--data", folder, "--model", options.model,
                              "--log-level", "error"], stdout=subprocess.PIPE, text=True, cwd=ROOT)
            for port in (8081, 8082)]
        for server in servers:
            server.stdout.readline()
        command = BALANCERS[options.balancer]
        balancer = subprocess.Popen(
            [str(ROOT / word) if word.startswith("deploy/") else word for word in command])
        time.sleep(1.5)
        try:
            killer = threading.Timer(1, lambda: servers[0].send_signal(signal.SIGKILL))
            killer.start()
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                faults = [fault for fault in pool.map(attempt, range(options.requests)) if fault]
            killer.join()
        finally:
            for process in [*servers, balancer]:
                process.terminate()
                process.wait()
    print(f"{options.requests} requests of three calls, one of two instances behind {options.balancer} killed: "
          f"{len(faults)} faults")
    for fault in faults[:10]:
        print(fault)
    sys.exit(1 if faults else 0)


main()
