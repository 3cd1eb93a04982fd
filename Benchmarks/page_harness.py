# SPDX-License-Identifier: Apache-2.0
"""What the checks of the page share: a server of their own, and a browser's window with what people do in it."""
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from page_texts import answer_events

ROOT = Path(__file__).resolve().parent.parent
CHECKS = []


def check(function):
    """Marks a check; its first line of documentation is what it prints."""
    CHECKS.append(function)
    return function


class Server:
    """A server with a folder of its own, which can be stopped and started again."""

    def __init__(self, program):
        self.program = program
        self.data = tempfile.mkdtemp(prefix="qalam-page-")
        self.process = None
        self.start()

    def start(self):
        command = [self.program, "serve", "--model", "models/qalam-mini", "--data", self.data, "--port", "0"]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.url = re.search(r"http://\S+", line).group(0)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)

    def close(self):
        self.stop()
        shutil.rmtree(self.data, ignore_errors=True)


class Visit:
    """A browser's window on the page, with what people do in it."""

    def __init__(self, browser, server, **options):
        options = {"viewport": {"width": 1280, "height": 800}, "locale": "en-US"} | options
        self.context = browser.new_context(**options)
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page = self.context.new_page()
        self.errors = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda m: self.errors.append(m.text) if "Content Security" in m.text else None)
        self.server = server
        self.open()

    def open(self, address=""):
        self.page.goto(f"{self.server.url}/{address}")
        self.page.wait_for_selector("body[data-ready]")
        return self.page

    def fake(self, text, reasoning=None):
        """From now on answers are this text."""
        body = answer_events(text, reasoning)
        self.page.route("**/v1/chat/completions", lambda route: route.fulfill(
            status=200, content_type="text/event-stream", body=body))

    def ask(self, text):
        self.page.fill("#draft", text)
        self.page.press("#draft", "Enter")
        self.done()

    def done(self):
        """Waits until the last answer has been written."""
        self.page.wait_for_selector("#thread > li:last-child .assistant .actions", timeout=120_000)
        self.page.wait_for_selector("#send.stop", state="detached", timeout=120_000)

    def menu(self, title, entry):
        """Chooses from the menu of a conversation in the list."""
        row = self.page.locator("#list li", has_text=title).first
        row.hover()
        row.locator("button").click()
        self.page.locator("#menu button", has_text=entry).click()

    def close(self):
        assert not self.errors, self.errors
        self.context.close()
