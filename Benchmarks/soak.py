#!/usr/bin/env python3
"""Many clients that come, stream and vanish: whole answers keep their bytes, no page and no memory is lost.

    soak.py [--seconds 600] [--clients 64] [--program .build/release/qalam] [--model models/qalam-mini]

Every client asks with one of 20 seeds and reads the whole answer, half of it, or nothing of it. Ends with status 1 if a
whole answer differs from the one that its seed got alone, if pages are in use once all is quiet, or if the server's
memory grew by more than 10% after the first quarter.
"""
import argparse
import http.client
import json
import random
import re
import sys
import threading
import time
from pathlib import Path

import serving
from harness import ROOT

SEEDS = 20


def body(model, seed):
    """A request whose answer depends on its seed alone."""
    return json.dumps({
        "model": model, "stream": True, "seed": seed, "temperature": 1, "max_tokens": 24 + 4 * (seed % 8),
        "messages": [{"role": "user", "content": f"A story about {seed} foxes. " + "Please. " * (seed % 7)}]})


def ask(port, model, seed, pieces):
    """The text of an answer of which at most `pieces` events are read; None if it was left early."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("POST", "/v1/chat/completions", body(model, seed), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        if answer.status == 429:
            return None
        assert answer.status == 200, answer.read()
        text = ""
        for line in answer:
            if line.startswith(b"data: [DONE]"):
                return text
            if line.startswith(b"data: "):
                pieces -= 1
                if pieces < 0:
                    return None
                text += json.loads(line[6:])["choices"][0]["delta"].get("content") or ""
        raise AssertionError("the stream ended without [DONE]")
    finally:
        connection.close()


def gauge(port, name):
    """A figure of /metrics, summed over models."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/metrics")
    page = connection.getresponse().read().decode()
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", page, re.M))


def resident(port):
    """Megabytes of the server in memory."""
    return gauge(port, "process_resident_memory_bytes") / 1e6


class Soak:
    """What the clients share."""

    def __init__(self, port, model, expected, end):
        self.port, self.model, self.expected, self.end = port, model, expected, end
        self.whole = self.left = 0
        self.faults = []

    def client(self, number):
        """One client after another until the end."""
        draw = random.Random(number)
        while time.monotonic() < self.end and len(self.faults) < 10:
            seed = draw.randrange(SEEDS)
            try:
                text = ask(self.port, self.model, seed, draw.choice([10 ** 6, 10 ** 6, 12, 0]))
            except Exception as error:
                self.faults.append(repr(error))
                continue
            if text is None:
                self.left += 1
            else:
                self.whole += 1
                if text != self.expected[seed]:
                    self.faults.append(f"seed {seed}: {text!r} instead of {self.expected[seed]!r}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--program", default=ROOT / ".build/release/qalam")
    parser.add_argument("--model", default=ROOT / "models/qalam-mini")
    options = parser.parse_args()
    model = Path(options.model).name.removesuffix(".gguf")
    with serving.server(options.program, options.model, ["--log-level", "error"]) as (port, _):
        expected = [ask(port, model, seed, 10 ** 6) for seed in range(SEEDS)]
        soak = Soak(port, model, expected, time.monotonic() + options.seconds)
        threads = [threading.Thread(target=soak.client, args=(number,)) for number in range(options.clients)]
        for thread in threads:
            thread.start()
        time.sleep(options.seconds / 4)
        early = resident(port)
        for thread in threads:
            thread.join()
        time.sleep(3)
        late, used = resident(port), gauge(port, "qalam_kv_pages_used")
        print(f"{soak.whole} whole answers, {soak.left} left early, {len(soak.faults)} faults; "
              f"memory {early:.0f} MB after a quarter, {late:.0f} MB at the end; {used:.0f} pages in use")
        for fault in soak.faults[:5]:
            print("  " + fault)
        return 1 if soak.faults or used or late > 1.1 * early else 0


sys.exit(main())
