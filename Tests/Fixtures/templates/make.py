# SPDX-License-Identifier: Apache-2.0
"""Renders the templates of this folder, and short ones, with Jinja; writes goldens.json.

    pip install jinja2 && python make.py

snippets.json holds the short ones. Jinja is set up as the library transformers does it for chat templates. A case whose
text is null is one that Jinja refuses.
Values are written so that kinds and orders survive: {"dict": [[key, value], ...]}, {"list": [...]}, {"float": x}.
"""

import json
import pathlib

from jinja2 import nodes
from jinja2.exceptions import TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

here = pathlib.Path(__file__).parent


class Generation(Extension):
    """{% generation %} blocks, which only render their content here."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_content"), [], [], body).set_lineno(line)

    def _content(self, caller):
        return caller()


def raise_exception(message):
    raise TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
env.filters["tojson"] = tojson
env.globals["raise_exception"] = raise_exception


def tagged(value):
    if isinstance(value, dict):
        return {"dict": [[k, tagged(v)] for k, v in value.items()]}
    if isinstance(value, (list, tuple)):
        return {"list": [tagged(v) for v in value]}
    return {"float": value} if isinstance(value, float) else value


def case(name, source, given, file=None):
    variables = sets[given]
    try:
        text = env.from_string(source).render(**variables)
    except Exception as error:  # whatever Python raises, the template is refused
        text = None
        print(f"refused: {name}: {type(error).__name__}: {error}")
    where = {"file": file} if file else {"template": source}
    return {"name": name, **where, "variables": given, "text": text}


# MARK: conversations

system = {"role": "system", "content": "  Be brief.\n"}
user = {"role": "user", "content": "What is 2 + 2?"}
assistant = {"role": "assistant", "content": "4"}
weather = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather at a place",
        "parameters": {
            "type": "object",
            "properties": {
                "place": {"type": "string", "description": "A city,\nsuch as \"Cairo\" <القاهرة>"},
                "days": {"type": "array", "items": {"type": "integer"}, "description": ""},
                "at": {"type": "object", "properties": {"hour": {"type": "integer"}}, "required": ["hour"]},
            },
            "required": ["place"],
        },
        "return": {"type": "number"},
    },
}
arguments = {"place": "مكة", "n": 1.5, "x": None, "y": True}
call = {"id": "abc123def", "type": "function", "function": {"name": "get_weather", "arguments": arguments}}
result = {"role": "tool", "tool_call_id": "abc123def", "name": "get_weather", "content": "{\"t\": 31}"}
conversations = {
    "one question": [user],
    "system": [system, user],
    "several turns": [system, user, assistant, {"role": "user", "content": "And 3 + 3?\n\n"}],
    "answered": [user, assistant],
    "arabic": [
        {"role": "user", "content": "ما هو القَلَم؟ 😀\r\n\tسطر"},
        {"role": "assistant", "content": " أداة للكتابة "},
        {"role": "user", "content": "شكرًا"},
    ],
    "thoughts": [
        user,
        {"role": "assistant", "content": "<think>\nadd them\n</think>\n\n4"},
        user,
        {"role": "assistant", "content": "<think>again</think>4"},
    ],
    "reasoning field": [user, {"role": "assistant", "content": "4", "reasoning_content": "\nhm\n"}],
    "tool call": [user, {"role": "assistant", "content": "", "tool_calls": [call]}, result, user],
    "two tool calls": [user, {"role": "assistant", "content": "so", "tool_calls": [call, call]}, result, result],
    "wrong order": [user, user],
    "unknown role": [{"role": "narrator", "content": "Once"}],
    "parts": [{"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "image"}]}],
    "empty content": [{"role": "user", "content": ""}],
    "no messages": [],
}
sets = {}
cases = []
for path in sorted(here.glob("*.jinja")):
    source = path.read_text()
    for name, messages in conversations.items():
        for prompt in (False, True):
            if prompt == (name in ("answered", "thoughts", "reasoning field")):
                continue
            variables = {"messages": messages, "add_generation_prompt": prompt, "bos_token": "<s>", "eos_token": "</s>"}
            if "tool" in name:
                variables["tools"] = [weather, weather] if name.startswith("two") else [weather]
            if name == "system":
                variables |= {"enable_thinking": False, "tools": None}
            sets[f"{name}, {prompt}"] = variables
            cases.append(case(f"{path.stem}: {name}", source, f"{name}, {prompt}", file=path.name))

# MARK: the language, piece by piece

sets["snippets"] = {
    "n": 7, "f": 2.5, "t": True, "z": None, "s": "  Hello, World!\n", "w": "قلم كتاب", "e": "", "l": [3, 1, 2],
    "d": {"b": 1, "a": [1, 2]},
    "m": [{"r": "user", "c": "x", "k": {"v": 2}}, {"r": "bot", "c": "Y", "k": {"v": 1}}, {"r": "user", "c": ""}],
    "el": [], "ed": {},
    "q": "it's \"so\"\t<&>", "u": ["b", "A", "a", "B", "b"],
}
snippets = json.loads((here / "snippets.json").read_text())
for number, source in enumerate(snippets):
    cases.append(case(f"snippet {number}", source, "snippets"))

goldens = {"variables": {name: tagged(variables) for name, variables in sets.items()}, "cases": cases}
(here / "goldens.json").write_text(json.dumps(goldens, ensure_ascii=False, indent=0) + "\n")
print(len(cases), "cases")
