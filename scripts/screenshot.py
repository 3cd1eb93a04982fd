#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Takes a picture of the chat page with a short conversation.

    scripts/screenshot.py http://127.0.0.1:8080 docs/page-light.png
    scripts/screenshot.py http://127.0.0.1:8080 docs/page-dark.png --dark --arabic --ask "ما اسمك؟"

Needs the Python package `playwright` and a Chromium (`apt install chromium`), whose path can be given with --chromium.
"""

import argparse
import shutil

from playwright.sync_api import sync_playwright

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("url", help="address of a running server")
parser.add_argument("output", help="PNG to write")
parser.add_argument("--ask", action="append", help="what to ask, once for each turn")
parser.add_argument("--dark", action="store_true")
parser.add_argument("--arabic", action="store_true")
parser.add_argument("--width", type=int, default=1200)
parser.add_argument("--height", type=int, default=760)
parser.add_argument("--seed", type=int, help="fixes the answers")
parser.add_argument("--temperature", type=float, default=0.7)
parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome"))
arguments = parser.parse_args()
questions = arguments.ask or ["Hello! What is your name?", "What is the capital of France?"]

with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=arguments.chromium, args=["--no-sandbox"])
    context = browser.new_context(
        viewport={"width": arguments.width, "height": arguments.height},
        color_scheme="dark" if arguments.dark else "light",
        locale="ar" if arguments.arabic else "en-US",
    )
    page = context.new_page()
    page.goto(arguments.url)
    page.wait_for_selector("body[data-ready]")
    page.click("#open-settings")
    page.fill('dialog [name="seed"]', "" if arguments.seed is None else str(arguments.seed))
    page.locator('dialog [name="temperature"]').fill(str(arguments.temperature))
    page.locator("dialog .primary").click()
    for number, question in enumerate(questions, start=1):
        page.fill("#draft", question)
        page.press("#draft", "Enter")
        page.wait_for_selector(f"#thread > li:nth-child({2 * number}) .actions", timeout=120_000)
    page.mouse.move(0, 0)
    page.wait_for_timeout(300)
    page.screenshot(path=arguments.output)
    browser.close()
