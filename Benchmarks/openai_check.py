#!/usr/bin/env python3
"""Drives a `qalam serve` with the unmodified `openai` client: plain, streamed, errors, cancelling, eight at once.

    openai_check.py                            starts .build/release/qalam with models/qalam-mini
    openai_check.py --model FOLDER
    openai_check.py --base-url http://127.0.0.1:8080/v1    uses a server that is running
"""
import argparse
import asyncio
import contextlib
import sys
import time

import openai

import serving
from harness import ROOT, BenchError

QUESTION = [{"role": "user", "content": "Tell me about the sea."}]
CHECKS = []


def check(function):
    """Registers a check; its docstring is what is printed."""
    CHECKS.append(function)
    return function


def expect(condition, message):
    """Fails a check with a sentence."""
    if not condition:
        raise BenchError(message)


def ask(client, model, **options):
    """A plain request with settings that make the answer repeatable."""
    settings = {"messages": QUESTION, "max_tokens": 24, "seed": 7, "temperature": 0.8} | options
    return client.chat.completions.create(model=model, **settings)


def gather(stream):
    """A stream's text, finish reason, usage and the number of chunks that carried text."""
    text, finish, usage, pieces = "", None, None, 0
    for chunk in stream:
        if chunk.usage:
            expect(not chunk.choices, "the chunk with the usage must have no choices")
            usage = chunk.usage
        for choice in chunk.choices:
            expect(finish is None, "a chunk came after the finish reason")
            text += choice.delta.content or ""
            pieces += bool(choice.delta.content)
            finish = choice.finish_reason
    return text, finish, usage, pieces


def refused(kind, call, param=None, code=None):
    """Expects a request to be refused with one of the client's exceptions."""
    try:
        call()
    except kind as error:
        expect(error.body and error.body.get("message"), f"no message in the error: {error.body}")
        expect(param is None or param in (error.param or ""), f"it names {error.param!r}, not {param!r}: {error}")
        expect(code is None or error.code == code, f"the error's code is {error.code!r}, not {code!r}: {error}")
        return error
    raise BenchError(f"taken, but expected {kind.__name__} because of {param or code or 'an unknown URL'}")


@check
def models(client, model):
    """the list of models, one model, and a model that does not exist"""
    listed = list(client.models.list())
    expect(any(m.id == model for m in listed), f"{model} is not in the list")
    found = client.models.retrieve(model)
    expect(found.id == model and found.object == "model" and found.created > 0, f"odd model object {found}")
    refused(openai.NotFoundError, lambda: client.models.retrieve("no-such-model"), code="model_not_found")


@check
def plain(client, model):
    """a plain answer, with its usage and finish reason"""
    answer = ask(client, model)
    choice = answer.choices[0]
    expect(answer.object == "chat.completion" and choice.message.role == "assistant", f"odd answer {answer}")
    expect(choice.finish_reason in ("stop", "length"), f"finish reason {choice.finish_reason!r}")
    usage = answer.usage
    expect(usage.prompt_tokens > 0, "no prompt tokens were counted")
    expect(usage.total_tokens == usage.prompt_tokens + usage.completion_tokens, "the totals don't add up")
    expect(usage.completion_tokens <= 24, f"{usage.completion_tokens} tokens for max_tokens 24")


@check
def repeatable(client, model):
    """the same seed gives the same text, and another seed another"""
    texts = {seed: [ask(client, model, seed=seed).choices[0].message.content for _ in range(2)] for seed in range(4)}
    expect(all(a == b for a, b in texts.values()), "the same seed gave two texts")
    expect(len({a for a, _ in texts.values()}) > 1, "four seeds gave one text: is the seed ignored?")


@check
def streamed(client, model):
    """a streamed answer equals the plain one, with and without usage"""
    whole = ask(client, model)
    text, finish, usage, pieces = gather(ask(client, model, stream=True, stream_options={"include_usage": True}))
    expect(text == whole.choices[0].message.content, f"streamed {text!r}, plain {whole.choices[0].message.content!r}")
    expect(finish == whole.choices[0].finish_reason, "streamed and plain ended for different reasons")
    expect(usage is not None and usage.model_dump() == whole.usage.model_dump(), "streamed and plain usage differ")
    expect(pieces > 1 or whole.usage.completion_tokens < 3, "the text came in one piece: that's no streaming")
    text, _, usage, _ = gather(ask(client, model, stream=True))
    expect(text == whole.choices[0].message.content and usage is None, "usage came without being asked for")


@check
def helper_stream(client, model):
    """the client's own accumulator of streams takes ours"""
    settings = dict(messages=QUESTION, max_tokens=24, seed=7, temperature=0.8)
    with client.chat.completions.stream(model=model, **settings) as stream:
        try:
            final = stream.get_final_completion()
        except openai.LengthFinishReasonError as cut:  # how the client reports an answer that max_tokens ended
            final = cut.completion
    expect(final.choices[0].message.content == ask(client, model).choices[0].message.content, "another text came out")


@check
def limits(client, model):
    """max_tokens, max_completion_tokens, stop strings and several choices"""
    short = ask(client, model, max_tokens=1)
    expect(short.usage.completion_tokens == 1, f"max_tokens 1 gave {short.usage.completion_tokens}")
    other = client.chat.completions.create(
        model=model, messages=QUESTION, max_completion_tokens=24, seed=7, temperature=0.8).choices[0].message.content
    text = ask(client, model).choices[0].message.content
    expect(other == text, "max_completion_tokens is not max_tokens")
    if len(text) > 4:
        stop = text[2:4]
        cut = ask(client, model, stop=[stop]).choices[0]
        kept = cut.message.content
        expect(kept == text[: text.index(stop)], f"stop {stop!r} gave {kept!r} of {text!r}")
        expect(cut.finish_reason == "stop", f"a stop string ended with {cut.finish_reason!r}")
    several = ask(client, model, n=3)
    expect([c.index for c in several.choices] == [0, 1, 2], "n=3 did not give the choices 0, 1, 2")


@check
def errors(client, model):
    """what can't be honoured is refused, and the error names it"""
    bad = openai.BadRequestError
    refused(openai.NotFoundError, lambda: ask(client, "no-such-model"), "model", "model_not_found")
    refused(bad, lambda: ask(client, model, temperature=9), "temperature")
    refused(bad, lambda: ask(client, model, max_tokens=-1), "max_tokens")
    refused(bad, lambda: ask(client, model, messages=[]), "messages")
    refused(bad, lambda: ask(client, model, messages=[{"role": "wizard", "content": "x"}]), "messages[0].role")
    refused(bad, lambda: ask(client, model, extra_body={"no_such_field": 1}), "no_such_field")
    refused(bad, lambda: ask(client, model, response_format={"type": "json_object"}), "response_format")
    long = [{"role": "user", "content": "word " * 50_000}]
    error = refused(bad, lambda: ask(client, model, messages=long), code="context_length_exceeded")
    expect("maximum context length is" in str(error), f"agents look for `maximum context length is`: {error}")
    refused(openai.NotFoundError, lambda: client.embeddings.create(model=model, input="x"))


@check
def text_kinds(client, model):
    """content in parts, a system and a developer message, Arabic, emoji and an empty string"""
    parts = [{"type": "text", "text": "Tell me about "}, {"type": "text", "text": "the sea."}]
    same = ask(client, model, messages=[{"role": "user", "content": parts}]).choices[0].message.content
    expect(same == ask(client, model).choices[0].message.content, "content in parts is read differently")
    for content in ("ما هو البحر؟", "🙂 👩‍👩‍👧 ?", "\u2028 odd \x00 characters", ""):
        ask(client, model, messages=[{"role": "user", "content": content}])
    for role in ("system", "developer"):
        ask(client, model, messages=[{"role": role, "content": "Be brief."}, *QUESTION])


@check
def cancelled(client, model):
    """streams closed in the middle leave the server free for the next request"""
    for _ in range(16):
        stream = ask(client, model, stream=True, max_tokens=200)
        next(iter(stream))
        stream.close()
    start = time.perf_counter()
    expect(ask(client, model, max_tokens=4).choices, "no answer after cancelled streams")
    seconds = time.perf_counter() - start
    expect(seconds < 5, f"after cancelled streams an answer of four tokens took {seconds:.1f} s")


@check
def together(client, model):
    """eight requests at once, plain and streamed, give the bytes each gives alone"""
    alone = [ask(client, model, seed=seed).choices[0].message.content for seed in range(8)]

    async def one(peer, seed):
        settings = dict(model=model, messages=QUESTION, max_tokens=24, temperature=0.8, seed=seed)
        if seed % 2 == 0:
            return (await peer.chat.completions.create(**settings)).choices[0].message.content
        chunks = await peer.chat.completions.create(**settings, stream=True)
        return "".join([c.choices[0].delta.content or "" async for c in chunks if c.choices])

    async def all_at_once():
        async with openai.AsyncOpenAI(base_url=client.base_url, api_key="none", max_retries=0, timeout=300) as peer:
            return await asyncio.gather(*(one(peer, seed) for seed in range(8)))

    crowded = asyncio.run(all_at_once())
    wrong = [seed for seed in range(8) if alone[seed] != crowded[seed]]
    expect(not wrong, f"seeds {wrong} gave other texts in company")


def run_checks(base_url):
    """Runs every check against a server; gives the number that failed."""
    failures = 0
    with openai.OpenAI(base_url=base_url, api_key="none", max_retries=0, timeout=300) as client:
        model = next(iter(client.models.list())).id
        for function in CHECKS:
            try:
                function(client, model)
                verdict, detail = "ok  ", ""
            except (BenchError, openai.OpenAIError, AttributeError, IndexError, TypeError) as error:
                failures += 1
                verdict, detail = "FAIL", f"\n       {type(error).__name__}: {error}"
            print(f"{verdict} {function.__doc__}{detail}", flush=True)
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base-url")
    parser.add_argument("--qalam", default=ROOT / ".build" / "release" / "qalam")
    parser.add_argument("--model", default=ROOT / "models" / "qalam-mini")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        if not options.base_url:
            port, _ = stack.enter_context(serving.server(options.qalam, options.model))
            options.base_url = f"http://127.0.0.1:{port}/v1"
        failures = run_checks(options.base_url)
    print(f"{len(CHECKS) - failures} of {len(CHECKS)} checks pass with openai {openai.__version__}")
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (BenchError, openai.OpenAIError) as error:
        sys.exit(f"openai_check: {error}")
