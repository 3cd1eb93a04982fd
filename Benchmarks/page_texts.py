# SPDX-License-Identifier: Apache-2.0
"""What the checks of the page let models write."""
import base64
import json
import struct
import zlib

RICH = r"""# A heading

Some **bold**, *italic*, `code` and [a link](https://example.org). Price $5 and $6.

| Language | Year | Typed |
|:--|--:|:-:|
| Swift | 2014 | yes |
| Python | 1991 | no |

1. First
2. Second
   - nested

```swift
let greeting = "Hello" // a comment
for i in 0..<10 { print(i, greeting) }
```

> A quote

Inline $e^{i\pi}+1=0$ and a block:

$$\int_0^\infty e^{-x^2}\,dx = \frac{\sqrt{\pi}}{2}$$

\[ \begin{pmatrix} a & b \\ c & d \end{pmatrix} \overbrace{x+y}^{n} \sqrt[3]{2} \]

- [x] done
- [ ] to do

مرحبًا بالعالم، هذه فقرة عربية فيها كلمة English وسط السطر.
"""

HOSTILE = r"""<script>window.hacked=1</script><img src=x onerror="window.hacked=2"> <svg onload="window.hacked=3"></svg>

[click](javascript:window.hacked=4) [data](data:text/html,<script>window.hacked=5</script>)
![picture](https://evil.example/x.png "t")

<iframe src="javascript:window.hacked=6"></iframe><math><mtext><table><mglyph><style><!--</style>
<img title="--&gt;&lt;img src=1 onerror=window.hacked=7&gt;">

$\href{javascript:window.hacked=8}{x}$ $\htmlData{onclick=alert(1)}{x}$
$\includegraphics{https://evil.example/p.png}$ $$\def\a{\a\a}\a$$

<a href="https://ok.example" onclick="window.hacked=9" style="position:fixed;inset:0">ok</a>
<form action="https://evil.example"><input name=x></form>

```html" onmouseover="window.hacked=10
<script>window.hacked=11</script>
```

<span data-maths="\href{javascript:window.hacked=12}{x}">x</span> <div id="draft">clobber</div>
[x]: javascript:window.hacked=13

[ref][1] <https://auto.example> https://bare.example

[1]: vbscript:window.hacked=14 "x"

<b onmouseover="window.hacked=15">b</b> <br onclick="window.hacked=16"> <sub><script>window.hacked=17</script></sub>

<svg><animate onbegin="window.hacked=18" attributeName=x dur=1s></svg> <details open ontoggle="window.hacked=19">

<noscript><p title="</noscript><img src=x onerror=window.hacked=20>"> `</code><img src=x onerror=window.hacked=21>`
"""


def event(data):
    return f"data: {json.dumps(data)}\n\n"


def answer_events(text, reasoning=None):
    """The stream of an answer: the text comes in pieces."""
    def chunk(delta, reason=None):
        return event({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
    pieces = [text[at:at + 40] for at in range(0, len(text), 40)]
    usage = {"prompt_tokens": 5, "completion_tokens": len(pieces), "total_tokens": 5 + len(pieces)}
    return "".join([
        chunk({"role": "assistant", "content": ""}), chunk({"reasoning_content": reasoning}) if reasoning else "",
        *(chunk({"content": piece}) for piece in pieces), chunk({}, "stop"),
        event({"choices": [], "usage": usage}), "data: [DONE]\n\n",
    ])


def png(width, colour):
    """A picture of one colour."""
    def part(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    rows = b"".join(b"\0" + bytes(colour) * width for _ in range(width))
    header = struct.pack(">IIBBBBB", width, width, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b"")
    return base64.b64encode(data).decode()


def image_events(kind):
    """The stream of a picture that forms in three steps; without a kind the body of a variation."""
    if kind is None:
        return {"created": 1, "data": [{"b64_json": png(64, (40, 70, 144))}]}
    partial = [event({"type": f"{kind}.partial_image", "b64_json": png(64, (200, 80 * at, 30)),
                      "partial_image_index": at, "output_format": "png"}) for at in range(3)]
    last = event({"type": f"{kind}.completed", "b64_json": png(64, (227, 184, 79)), "output_format": "png"})
    return "".join(partial) + last + "data: [DONE]\n\n"
