#!/usr/bin/env python3
"""Checks that Qalam renders chat templates as Jinja does with the settings of transformers.

    templates_check.py FOLDER [--command "…/qalam bench template"]

FOLDER holds templates (*.jinja), such as models/templates in llama.cpp's sources. Each is rendered with many
conversations through jinja2 and through Qalam; where Jinja refuses, Qalam must refuse too. Needs jinja2.

Qalam's side reads lines {"template": …, "variables": "JSON text"} and answers {"text": …} or {"error": …} a line.
"""
import argparse
import datetime
import difflib
import json
import shlex
import subprocess
import sys
from pathlib import Path

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment


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
    raise jinja2.exceptions.TemplateError(message)


def to_json(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


ENVIRONMENT = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
ENVIRONMENT.filters["tojson"] = to_json
ENVIRONMENT.globals["raise_exception"] = raise_exception
ENVIRONMENT.globals["strftime_now"] = lambda form: datetime.datetime.now().strftime(form)


def said(role, content, **more):
    return {"role": role, "content": content, **more}


def call(name, arguments, id="call_1234"):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city: <now> & 'later'.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Name of the city"},
                "days": {"type": "integer", "minimum": 1, "maximum": 7},
                "unit": {"type": "string", "enum": ["C", "F"], "default": "C"},
                "where": {"type": "array", "items": {"type": "number"}, "nullable": True},
            },
            "required": ["city"],
        },
    },
}
CLOCK = {
    "type": "function",
    "function": {"name": "clock", "description": "ما الوقت؟", "parameters": {"type": "object", "properties": {}}},
}
SYSTEM = said("system", "You are a pen. أنت قلم.\n  Be \"brief\"  ")
HELLO = said("user", " Hello, who are you? <b>&amp;</b>\n")
ANSWER = said("assistant", "I am Qalam.\n\n")
ARABIC = said("user", "اكتب لي بيتًا من الشِّعر، رجاءً؟")
THOUGHT = said("assistant", "The answer is 4.", reasoning_content="Two and two\nare four.")
INLINE = said("assistant", "<think>\nTwo and two\n</think>\n\nThe answer is 4.")
CALLING = said(
    "assistant", "", tool_calls=[call("get_weather", {"city": "Riyadh", "days": 2, "deep": {"a": [1, None]}})])
CALLING_NONE = said("assistant", None, tool_calls=[call("get_weather", {"city": "مكة"})])
CALLING_TWO = said(
    "assistant", "Let me see.", reasoning_content="I must look.",
    tool_calls=[call("get_weather", {"city": "Riyadh"}, "abcdefghi"), call("clock", {}, "jklmnopqr")])
CALLING_TEXT = said("assistant", "", tool_calls=[call("get_weather", '{"city": "Riyadh"}')])
RESULT = said("tool", '{"sky": "clear", "high": 41.5}', tool_call_id="abcdefghi", name="get_weather")
RESULT_TWO = said("tool", "12:30", tool_call_id="jklmnopqr", name="clock")
PARTS = said("user", [{"type": "text", "text": "What is"}, {"type": "text", "text": " this?"}])
CONVERSATIONS = {
    "hello": [HELLO],
    "system": [SYSTEM, HELLO],
    "turns": [SYSTEM, HELLO, ANSWER, ARABIC],
    "ends with assistant": [HELLO, ANSWER],
    "reasoning": [HELLO, THOUGHT, said("user", "And three?"), THOUGHT],
    "inline reasoning": [HELLO, INLINE, said("user", "And three?"), INLINE],
    "call": [SYSTEM, HELLO, CALLING, RESULT],
    "call without content": [HELLO, CALLING_NONE, RESULT, ANSWER, ARABIC],
    "two calls": [HELLO, CALLING_TWO, RESULT, RESULT_TWO, ANSWER],
    "call as text": [HELLO, CALLING_TEXT, RESULT],
    "parts": [PARTS],
    "developer": [said("developer", "Obey."), HELLO],
    "two users": [HELLO, ARABIC],
    "strange role": [said("narrator", "Once."), HELLO],
    "empty": [],
}
SETTINGS = [
    {},
    {"add_generation_prompt": True},
    {"add_generation_prompt": True, "enable_thinking": False, "thinking": False, "reasoning_effort": "low"},
    {"add_generation_prompt": True, "enable_thinking": True, "thinking": True, "tools": [WEATHER, CLOCK]},
    {"add_generation_prompt": False, "tools": [WEATHER], "documents": [{"title": "T", "text": "Body"}]},
]
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


def render(source, variables):
    try:
        return {"text": ENVIRONMENT.from_string(source).render(**variables)}
    except Exception as error:  # templates raise what they like
        return {"error": f"{type(error).__name__}: {error}"}


class Qalam:
    def __init__(self, command):
        self.process = subprocess.Popen(shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def render(self, source, variables):
        text = json.dumps(variables, ensure_ascii=False)
        self.process.stdin.write(json.dumps({"template": source, "variables": text}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    root = Path(__file__).resolve().parent.parent
    parser.add_argument("--command", default=f"{root}/.build/release/qalam bench template")
    options = parser.parse_args()
    qalam = Qalam(options.command)
    total = failures = refused = 0
    for file in sorted(Path(options.folder).glob("*.jinja")):
        source = file.read_text(encoding="utf8")
        for name, messages in CONVERSATIONS.items():
            for number, settings in enumerate(SETTINGS):
                variables = {"messages": messages, **TOKENS, **settings}
                expected, found = render(source, variables), qalam.render(source, variables)
                total += 1
                refused += "error" in expected
                if expected.get("text") == found.get("text"):
                    continue
                failures += 1
                print(f"{file.name}: {name}, settings {number}")
                if "text" in expected and "text" in found:
                    lines = difflib.unified_diff(
                        expected["text"].splitlines(True), found["text"].splitlines(True), "jinja", "qalam", n=0)
                    print("".join(repr(line)[:160] + "\n" for line in list(lines)[2:8]), end="")
                else:
                    print(f"  jinja {str(expected)[:200]}\n  qalam {str(found)[:200]}")
    print(f"{total} renderings, {refused} refused by Jinja, {failures} different")
    sys.exit(failures > 0)


main()
