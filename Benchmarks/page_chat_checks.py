# SPDX-License-Identifier: Apache-2.0
"""Checks of conversations and messages on the page."""
import json
import re
from pathlib import Path

from playwright.sync_api import expect

from page_harness import Visit, check
from page_texts import HOSTILE, RICH


# Conversations


@check
def conversations(browser, server):
    """conversations are kept on the server: seen from another browser, and after a restart"""
    visit = Visit(browser, server)
    visit.ask("Hello! What is your name?")
    visit.ask("And mine?")
    expect(visit.page.locator(".assistant .speed").first).to_contain_text("tokens/s")
    expect(visit.page.locator(".assistant .speed").first).to_contain_text("first after")
    address = visit.page.url.split("/", 3)[3]
    texts = visit.page.locator("#thread .text").all_inner_texts()
    visit.close()
    server.stop()
    server.start()
    other = Visit(browser, server)
    expect(other.page.locator("#list .title")).to_have_text(["Hello! What is your name?"])
    other.open(address)
    expect(other.page.locator("#thread > li")).to_have_count(4)
    assert other.page.locator("#thread .text").all_inner_texts() == texts
    other.close()


@check
def filing(browser, server):
    """rename, search (titles, messages, Arabic without its signs), labels, delete and undo"""
    visit = Visit(browser, server)
    page = visit.page
    visit.fake("A short answer about lamps.")
    for text in ["First thing", "نصٌّ عن القَلَمِ", "Third thing"]:
        page.click("#new")
        visit.ask(text)
    visit.menu("First thing", "Rename")
    page.locator("#list input").fill("Renamed")
    page.keyboard.press("Enter")
    expect(page.locator("#list .title", has_text="Renamed")).to_be_visible()
    for words, found in [("renamed", 1), ("القلم", 1), ("lamps", 3), ("lamps third", 1), ("nowhere", 0)]:
        page.fill("#search", words)
        expect(page.locator("#list .title")).to_have_count(found)
    page.fill("#search", "")
    visit.menu("Renamed", "Labels")
    page.get_by_label("New label").fill("work")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Save").click()
    page.locator("#labels .chip", has_text="work").click()
    expect(page.locator("#list .title")).to_have_count(1)
    visit.open()
    page.locator("#labels .chip", has_text="work").click()
    expect(page.locator("#list .title")).to_have_text(["Renamed"])
    page.locator("#labels .chip", has_text="work").click()
    visit.menu("Third thing", "Delete")
    expect(page.locator("#list .title", has_text="Third thing")).to_have_count(0)
    page.locator("#toast button").click()
    expect(page.locator("#list .title", has_text="Third thing")).to_have_count(1)
    visit.close()


@check
def exports(browser, server):
    """export as Markdown and as JSON"""
    visit = Visit(browser, server)
    visit.fake("An **answer** | with\n\n- a list")
    visit.ask("Export me: عربي")
    for entry, ending in [("Markdown", ".md"), ("JSON", ".json")]:
        with visit.page.expect_download() as download:
            visit.menu("Export me", entry)
        text = Path(download.value.path()).read_text(encoding="utf-8")
        assert download.value.suggested_filename.endswith(ending)
        assert "عربي" in text and "**answer**" in text
        if ending == ".json":
            assert [each["role"] for each in json.loads(text)["messages"]] == ["user", "assistant"]
    visit.close()


# Messages


@check
def branches(browser, server):
    """edit and branch a message, write another answer, go between versions; a reload keeps the branch"""
    visit = Visit(browser, server)
    page = visit.page
    visit.fake("One.")
    visit.ask("Original")
    page.locator(".user").hover()
    page.locator(".user .edit").click()
    page.locator(".editor textarea").fill("Edited")
    page.get_by_role("button", name="Send as another version").click()
    visit.done()
    expect(page.locator(".user .text")).to_have_text("Edited")
    expect(page.locator(".user .versions")).to_contain_text("2/2")
    page.locator(".assistant .again").click()
    expect(page.locator(".assistant .versions")).to_contain_text("2/2")
    visit.done()
    page.locator(".user .versions button").first.click()
    expect(page.locator(".user .text")).to_have_text("Original")
    page.wait_for_timeout(300)
    page.reload()
    expect(page.locator(".user .text")).to_have_text("Original")
    page.locator(".assistant .edit").click()
    page.locator(".editor textarea").fill("My own words")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".assistant .text")).to_have_text("My own words")
    visit.close()


@check
def stopping(browser, server):
    """stop ends an answer, and keeps what was written"""
    visit = Visit(browser, server)
    page = visit.page
    answer = page.locator(".assistant .text").last
    # The model may come to its end first: then another answer is asked for.
    for _ in range(10):
        page.fill("#draft", "Tell me a very long story about a fox and a hen and a dog.")
        page.press("#draft", "Enter")
        page.wait_for_selector("#thread > li:last-child .assistant")
        page.evaluate("document.querySelector('#send.stop')?.click()")
        visit.done()
        if page.locator(".assistant").last.get_by_text("Stopped.").count():
            break
    expect(page.locator(".assistant").last).to_contain_text("Stopped.")
    text = answer.inner_text()
    page.wait_for_timeout(500)
    page.reload()
    expect(answer).to_have_text(text)
    visit.close()


@check
def comparing(browser, server):
    """two answers side by side, and going on with the second"""
    visit = Visit(browser, server)
    page = visit.page
    page.click("#compare")
    visit.ask("Hello!")
    expect(page.locator(".pair .message")).to_have_count(2)
    page.locator(".pair .choose").nth(1).click()
    expect(page.locator(".pair .message").nth(1)).to_have_class(re.compile("chosen"))
    page.click("#compare")
    visit.ask("And now?")
    expect(page.locator("#thread > li")).to_have_count(4)
    expect(page.locator(".pair .message").nth(1)).to_have_class(re.compile("chosen"))
    visit.close()


@check
def settings(browser, server):
    """the system prompt and the sampling of the drawer are what the server is asked with"""
    visit = Visit(browser, server)
    page = visit.page
    bodies = []
    page.on("request", lambda r: bodies.append(r.post_data_json) if r.url.endswith("/completions") else None)
    visit.fake("Fine.")
    page.click("#open-settings")
    page.fill("[name=system]", "Be brief.")
    for name, value in [("temperature", 0.3), ("top_p", 0.9), ("min_p", 0.1)]:
        page.locator(f"[name={name}]").fill(str(value))
    for name, value in [("max_tokens", 50), ("top_k", 40), ("seed", 7)]:
        page.fill(f"[name={name}]", str(value))
    page.locator("dialog summary").click()
    page.locator("[name=frequency_penalty]").fill("0.5")
    page.get_by_role("button", name="Save").click()
    visit.ask("Hello")
    body = bodies[-1]
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}, body
    wanted = {"temperature": 0.3, "top_p": 0.9, "min_p": 0.1, "max_completion_tokens": 50, "top_k": 40, "seed": 7,
              "frequency_penalty": 0.5}
    assert wanted.items() <= body.items(), body
    visit.close()


@check
def files(browser, server):
    """text files go with a message, visibly; large ones and others are refused"""
    visit = Visit(browser, server)
    page = visit.page
    bodies = []
    page.on("request", lambda r: bodies.append(r.post_data_json) if r.url.endswith("/completions") else None)
    visit.fake("Read.")
    def attach(name, data):
        page.set_input_files("#file-input", [{"name": name, "mimeType": "", "buffer": data}])
    attach("large.txt", b"x" * 300_000)
    expect(page.locator("#toast")).to_contain_text("too large")
    attach("picture.png", b"\x89PNG\r\n\x00\xff")
    expect(page.locator("#toast")).to_contain_text("not a text file")
    attach("notes.md", "# ملاحظات\n```\ncode\n```".encode())
    expect(page.locator("#files li")).to_have_count(1)
    visit.ask("Read this")
    page.locator(".user .file summary").click()
    expect(page.locator(".user .file pre")).to_contain_text("ملاحظات")
    assert "````\n# ملاحظات" in bodies[-1]["messages"][-1]["content"]
    visit.close()


@check
def rendering(browser, server):
    """Markdown, tables, code in colours, maths, folded thoughts, and copying"""
    visit = Visit(browser, server)
    page = visit.page
    visit.fake(RICH, reasoning="First I think.")
    visit.ask("Everything")
    text = page.locator(".assistant .body > .text")
    expect(text.locator("h1")).to_have_text("A heading")
    expect(text.locator("td")).to_have_count(6)
    expect(text.locator("td").nth(1)).to_have_attribute("align", "right")
    expect(text.locator(".hljs-keyword").first).to_have_text("let")
    expect(text.locator(".katex")).to_have_count(3)
    expect(text.locator(".maths.wrong")).to_have_count(0)
    expect(page.locator(".reasoning .text")).to_be_hidden()
    page.locator(".reasoning summary").click()
    expect(page.locator(".reasoning .text")).to_have_text("First I think.")
    assert text.locator("p", has_text="مرحبًا").evaluate("node => getComputedStyle(node).direction") == "rtl"
    assert text.locator("p").first.evaluate("node => getComputedStyle(node).direction") == "ltr"
    text.locator(".code button").click()
    assert page.evaluate("navigator.clipboard.readText()").startswith("let greeting")
    page.locator(".assistant .below button[aria-label=Copy]").click()
    assert page.evaluate("navigator.clipboard.readText()") == RICH
    visit.close()


@check
def hostile(browser, server):
    """nothing that a model writes runs, leads to a script, or fetches anything"""
    visit = Visit(browser, server)
    page = visit.page
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    for text in [HOSTILE, *HOSTILE.split("\n\n")]:
        page.unroute_all()
        visit.fake(text, reasoning=text)
        visit.ask("Go")
    page.locator(".reasoning summary").last.click()
    page.wait_for_timeout(500)
    assert page.evaluate("window.hacked") is None
    assert all(url.startswith((server.url, "blob:", "data:")) for url in requests), requests
    for link in page.locator("#thread a").evaluate_all("nodes => nodes.map(node => [node.href, node.rel])"):
        assert not link[0] or link[0].startswith(("http://", "https://", "mailto:")), link
        assert not link[0] or "noopener" in link[1]
    bad = "script, iframe, img, object, embed, form, style, [onclick], [onerror], [onload], [style*=fixed]"
    assert page.locator(f"#thread .text :is({bad})").count() == 0
    assert page.locator("#draft").count() == 1 and page.locator("#thread #draft").count() == 0
    visit.errors.clear()  # what the policy stopped was told to the console
    visit.close()


@check
def translation(browser, server):
    """a message is translated by the model, kept, and taken away again"""
    visit = Visit(browser, server)
    page = visit.page
    visit.fake("Hello there.")
    visit.ask("Greet me")
    page.unroute_all()
    visit.fake("أهلًا بك.")
    page.locator(".assistant .translate").click()
    expect(page.locator(".translation .text")).to_have_text("أهلًا بك.")
    expect(page.locator(".translation")).to_have_attribute("dir", "rtl")
    page.wait_for_timeout(500)
    page.reload()
    expect(page.locator(".translation .text")).to_have_text("أهلًا بك.")
    page.locator(".assistant .translate").click()
    expect(page.locator(".translation")).to_have_count(0)
    visit.close()
