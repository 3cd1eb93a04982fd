#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Uses the page in a headless Chromium as people do, against `qalam serve` with the model of this repository.

    make page-check
    Benchmarks/page_check.py --only hostile,keyboard

Prints a line a check, the weight of all that was loaded and the time to the first paint; ends with 1 if a check failed.
Needs the Python packages `playwright` and `axe-core-python`, and a Chromium (`apt install chromium`).
"""
import argparse
import json
import re
import shutil
import statistics
import sys
import time
import traceback
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

import page_chat_checks  # noqa: F401 (its checks come first)
from page_harness import CHECKS, ROOT, Server, Visit, check
from page_texts import RICH, image_events


@check
def keyboard(browser, server):
    """everything is reached without a mouse"""
    visit = Visit(browser, server)
    page = visit.page
    visit.fake("Yes.")
    page.keyboard.type("By keys alone")
    page.keyboard.press("Enter")
    visit.done()
    page.keyboard.press("ArrowUp")
    expect(page.locator(".editor textarea")).to_be_focused()
    page.keyboard.press("Escape")
    page.locator("#scroll").focus()
    page.keyboard.press("r")
    expect(page.locator(".assistant .versions")).to_contain_text("2/2")
    visit.done()
    page.keyboard.press("[")
    expect(page.locator(".assistant .versions")).to_contain_text("1/2")
    page.keyboard.press("e")
    expect(page.locator("#list input")).to_be_focused()
    page.keyboard.type("Named by keys")
    page.keyboard.press("Enter")
    expect(page.locator("#list .title").first).to_have_text("Named by keys")
    page.keyboard.press("Control+Comma")
    expect(page.locator("dialog.drawer")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    page.keyboard.press("Control+k")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.press("Control+Slash")
    expect(page.locator(".shortcuts").first).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("#list li button").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#menu button").first).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")
    expect(page.locator("#list li button").first).to_be_focused()
    page.keyboard.press("Control+Shift+O")
    expect(page.locator("#draft")).to_be_focused()
    expect(page.locator("#welcome")).to_be_visible()
    visit.close()


@check
def languages(browser, server):
    """Arabic from right to left and English from left to right; the choice stays"""
    visit = Visit(browser, server, locale="ar")
    page = visit.page
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    expect(page.locator("h1").first).to_have_text("ماذا نكتب اليوم؟")
    box = page.locator("#sidebar").bounding_box()
    assert box["x"] > 600, box
    page.click("#language")
    expect(page.locator("html")).to_have_attribute("dir", "ltr")
    page.reload()
    expect(page.locator("h1").first).to_have_text("What shall we write?")
    visit.close()


@check
def installing(browser, server):
    """the browser may install the page"""
    visit = Visit(browser, server)
    session = visit.context.new_cdp_session(visit.page)
    errors = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    # A window without traces may install nothing, whatever the page.
    wrong = [each["errorId"] for each in errors if each["errorId"] != "in-incognito"]
    assert not wrong, wrong
    assert not session.send("Page.getAppManifest")["errors"]
    visit.close()


@check
def accessibility(browser, server):
    """axe finds nothing wrong by WCAG 2.2 AA in both languages, both themes, on a phone and a desk"""
    import axe_core_python
    axe = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text()
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    for scheme, locale, width in [("light", "en-US", 1280), ("dark", "ar", 390), ("light", "ar", 820),
                                  ("dark", "en-US", 1280)]:
        visit = Visit(browser, server, color_scheme=scheme, locale=locale, viewport={"width": width, "height": 900})
        page = visit.page

        def look(where):
            page.wait_for_timeout(400)
            page.evaluate(axe)
            found = page.evaluate("tags => axe.run({runOnly: tags})", tags)["violations"]
            wrong = [f"{each['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
                     for each in found for node in each["nodes"]]
            assert not wrong, f"{where} {scheme} {locale}: " + "\n".join(wrong)

        look("welcome")
        visit.fake(RICH, reasoning="Hm.")
        visit.ask("Everything")
        look("thread")
        page.click("#open-settings")
        look("settings")
        page.keyboard.press("Escape")
        for view in ["keys", "usage"]:
            visit.open(f"#/{view}")
            page.wait_for_selector(f"#{view}-view h1")
            look(view)
        visit.close()


@check
def fetching(browser, server):
    """models of this machine are listed; one is fetched with its progress shown, then it answers"""
    visit = Visit(browser, server)
    page = visit.page
    served = ["qalam-mini"]

    def models(route):
        if route.request.method == "GET":
            return route.fulfill(json={"data": [{"name": "org/other", "bytes": 5_000_000}], "can_fetch": True})
        served.append("tiny")
        events = [{"done": 1_000_000, "total": 4_000_000}, {"done": 4_000_000, "total": 4_000_000}, {"model": "tiny"}]
        body = "".join(f"data: {json.dumps(each)}\n\n" for each in events) + "data: [DONE]\n\n"
        return route.fulfill(status=200, content_type="text/event-stream", body=body)

    page.route("**/page/models", models)
    page.route("**/v1/models", lambda route: route.fulfill(json={"data": [{"id": each} for each in served]}))
    page.route("**/page/session", lambda route: route.fulfill(json={
        "object": "page.session", "key": None, "may_make_first_key": True, "writers": served, "painters": []}))
    page.click("#model")
    page.locator("#menu button", has_text="Get another model").click()
    expect(page.locator(".models li")).to_contain_text("org/other")
    page.locator("dialog input").fill("org/tiny:Q8_0")
    page.keyboard.press("Enter")
    expect(page.locator("#model bdi")).to_have_text("tiny")
    expect(page.locator("dialog")).to_have_count(0)
    visit.close()


def serve_painter(page):
    """From now on a model that draws is served, too."""
    models = {"object": "list", "data": [{"id": "qalam-mini"}, {"id": "qalam-draw-mini"}]}
    page.route("**/v1/models", lambda route: route.fulfill(json=models))
    session = {"object": "page.session", "key": None, "may_make_first_key": True, "writers": ["qalam-mini"],
               "painters": ["qalam-draw-mini"]}
    page.route("**/page/session", lambda route: route.fulfill(json=session))


@check
def pictures_in_a_chat(browser, server):
    """a picture asked for in a conversation is drawn there, kept with it and exported; by the pen, /draw or ارسم"""
    visit = Visit(browser, server)
    page = visit.page
    expect(page.locator("#draw-it")).to_be_hidden()
    serve_painter(page)
    wanted = []
    page.route("**/v1/images/generations", lambda route: (
        wanted.append(route.request.post_data_json),
        route.fulfill(status=200, content_type="text/event-stream", body=image_events("image_generation"))))
    visit.open()
    visit.ask("/draw a red fox")
    visit.ask("ارسم قطة زرقاء")
    page.get_by_label("Draw a picture of these words").click()
    expect(page.locator("#draw-it")).to_have_attribute("aria-pressed", "true")
    visit.ask("a green tree")
    expect(page.locator("#draw-it")).to_have_attribute("aria-pressed", "false")
    assert [body["prompt"] for body in wanted] == ["a red fox", "قطة زرقاء", "a green tree"], wanted
    images = page.locator("#thread .drawn img")
    expect(images).to_have_count(3)
    visit.fake("A word.")
    with page.expect_request("**/v1/chat/completions") as asked:
        visit.ask("drawing is fun, /draw or not")
    assert [m["content"] for m in asked.value.post_data_json["messages"]] == ["drawing is fun, /draw or not"]
    page.reload()
    page.wait_for_selector("body[data-ready]")
    expect(images).to_have_count(3)
    assert images.nth(1).get_attribute("alt") == "قطة زرقاء"
    assert images.nth(2).evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    with page.expect_download() as download:
        visit.menu("/draw a red fox", "Export as Markdown")
    text = Path(download.value.path()).read_text()
    assert text.count("](data:image/png;base64,") == 3 and "![a green tree](" in text, text[:500]
    # Another picture of the same words stands beside the first.
    page.locator("#thread .assistant").nth(2).hover()
    page.locator("#thread .assistant").nth(2).get_by_label("Write another answer").click()
    visit.done()
    assert wanted[-1]["prompt"] == "a green tree" and len(wanted) == 4
    visit.close()


@check
def drawing(browser, server):
    """pictures form as they come, stay in the gallery, are varied, edited with a mask, reused"""
    visit = Visit(browser, server)
    page = visit.page
    forms = []
    serve_painter(page)
    events = {"generations": "image_generation", "edits": "image_edit"}
    for name, kind in events.items():
        page.route(f"**/v1/images/{name}", lambda route, kind=kind: (
            forms.append(route.request.post_data_buffer),
            route.fulfill(status=200, content_type="text/event-stream", body=image_events(kind))))
    page.route("**/v1/images/variations", lambda route: route.fulfill(json=image_events(None)))
    visit.open()
    page.get_by_role("link", name="Draw", exact=True).click()
    page.fill("[name=prompt]", "قطة برتقالية")
    page.fill("[name=count]", "3")
    page.fill("[name=seed]", "5")
    page.press("[name=prompt]", "Enter")
    expect(page.locator(".picture:not(.forming) img")).to_have_count(3)
    assert {json.loads(form)["seed"] for form in forms} == {5, 6, 7}
    assert json.loads(forms[0])["stream"] is True and json.loads(forms[0])["partial_images"] == 3
    page.locator(".picture").first.get_by_label("Vary").click()
    expect(page.locator(".picture:not(.forming) img")).to_have_count(4)
    page.locator(".picture").first.get_by_label("Draw a part anew").click()
    page.locator(".painter").focus()
    page.keyboard.press("Space")
    page.get_by_role("dialog").get_by_role("button", name="Draw", exact=True).click()
    expect(page.locator(".picture:not(.forming) img")).to_have_count(5)
    assert b'name="mask"' in forms[-1] and b'name="image"' in forms[-1]
    page.reload()
    expect(page.locator(".picture img")).to_have_count(5)
    page.locator(".picture").first.get_by_label("Use these words again").click()
    expect(page.locator("[name=prompt]")).to_have_value("قطة برتقالية")
    visit.close()


@check
def keys(browser, server):
    """the first key shuts the server; the door asks for it once; keys are made and revoked; usage is shown"""
    visit = Visit(browser, server)
    page = visit.page
    visit.ask("Hello")
    page.wait_for_timeout(1500)
    visit.open("#/usage")
    expect(page.locator("#usage-view td", has_text="qalam-mini").first).to_be_visible()
    visit.open("#/keys")
    page.get_by_role("button", name="Make a key").click()
    page.locator("dialog input:not([type])").fill("root")
    page.get_by_role("dialog").get_by_role("button", name="Make a key").click()
    secret = page.locator(".secret").inner_text()
    page.get_by_role("button", name="Done").click()
    expect(page.locator("#keys-view td", has_text="root")).to_be_visible()
    other = browser.new_context().new_page()
    other.goto(server.url)
    other.fill("[name=key]", "sk-qalam-wrong")
    other.keyboard.press("Enter")
    expect(other.get_by_role("alert")).to_be_visible()
    other.fill("[name=key]", secret)
    other.keyboard.press("Enter")
    other.wait_for_selector("body[data-ready]")
    other.goto(f"{server.url}/#/keys")
    other.get_by_role("button", name="Make a key").click()
    other.locator("dialog input:not([type])").fill("second")
    other.get_by_role("dialog").get_by_role("button", name="Make a key").click()
    other.get_by_role("button", name="Done").click()
    row = other.locator("#keys-view tr", has_text="second")
    row.get_by_role("button", name="Revoke").click()
    other.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(row).to_have_class("past")
    visit.close()
    # The other checks need none.
    server.close()
    server.__init__(server.program)


def weigh(route, sizes, url):
    """Lets a request go on, and notes the bytes of the page's files as they are before any compression."""
    path = route.request.url.removeprefix(url)
    if path.startswith(("/v1/", "/page/")):
        return route.continue_()
    response = route.fetch()
    sizes[path] = len(response.body())
    return route.fulfill(response=response)


def figures(browser, server):
    """The weight of all that is loaded, and the time to the first paint."""
    paints = []
    for _ in range(7):
        visit = Visit(browser, server)
        script = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
        visit.page.wait_for_timeout(200)
        paints.append(visit.page.evaluate(script))
        visit.close()
    visit = Visit(browser, server)
    sizes = {}
    visit.page.route("**/*", lambda route: weigh(route, sizes, server.url))
    visit.open()
    visit.page.wait_for_timeout(500)
    first = sum(sizes.values())
    visit.fake(RICH)
    visit.ask("Everything")
    visit.page.wait_for_timeout(1000)
    total = sum(sizes.values())
    print(f"first paint: median {statistics.median(paints):.0f} ms, longest {max(paints):.0f} ms")
    print(f"loaded at the start: {first / 1000:.0f} KB; with code and maths: {total / 1000:.0f} KB, uncompressed")
    visit.context.close()
    return statistics.median(paints) <= 200 and total <= 1_000_000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="names of checks, with commas")
    parser.add_argument("--program", default=str(ROOT / ".build/release/qalam"))
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome"))
    arguments = parser.parse_args()
    wanted = arguments.only.split(",") if arguments.only else None
    failed = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=["--no-sandbox"])
        server = Server(arguments.program)
        for each in CHECKS:
            if wanted and each.__name__ not in wanted:
                continue
            start = time.monotonic()
            try:
                each(browser, server)
                print(f"ok    {each.__name__}: {each.__doc__} ({time.monotonic() - start:.1f} s)", flush=True)
            except Exception:
                failed.append(each.__name__)
                print(f"FAIL  {each.__name__}: {each.__doc__}\n{traceback.format_exc(limit=4)}", flush=True)
        if (not wanted or "figures" in wanted) and not figures(browser, server):
            failed.append("figures")
        server.close()
    print("failed: " + ", ".join(failed) if failed else "all checks passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
