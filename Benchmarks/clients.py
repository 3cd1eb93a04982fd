#!/usr/bin/env python3
"""Talks to `qalam serve` through real clients: openai, anthropic, ollama, litellm, llm, LangChain.

    clients.py [--program .build/release/qalam] [--model models/qalam-mini]
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import traceback

ROOT = pathlib.Path(__file__).resolve().parent.parent
QUESTION = [{"role": "user", "content": "Tell me about the sea."}]
CHECKS = []


def check(function):
    """Registers a check; its docstring is what is printed."""
    CHECKS.append(function)
    return function


@check
def openai_chat(base, model):
    """openai: a chat, streamed and not, says the same with one seed"""
    import openai
    client = openai.OpenAI(base_url=f"{base}/v1", api_key="none")
    options = {"model": model, "messages": QUESTION, "max_tokens": 24, "seed": 3}
    whole = client.chat.completions.create(**options)
    pieces = [chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(stream=True, **options)]
    assert whole.choices[0].message.content == "".join(pieces)
    assert whole.usage.total_tokens > 0


@check
def openai_schema(base, model):
    """openai: an answer parsed into a pydantic model, and a named tool"""
    import openai
    import pydantic

    class Fox(pydantic.BaseModel):
        legs: int
        red: bool

    client = openai.OpenAI(base_url=f"{base}/v1", api_key="none")
    parsed = client.chat.completions.parse(model=model, messages=QUESTION, response_format=Fox, max_tokens=64)
    assert isinstance(parsed.choices[0].message.parsed, Fox)
    tool = {"type": "function", "function": {"name": "count", "strict": True, "parameters": {
        "type": "object", "properties": {"n": {"type": "integer", "minimum": 0, "maximum": 9}}, "required": ["n"],
        "additionalProperties": False}}}
    answer = client.chat.completions.create(
        model=model, messages=QUESTION, tools=[tool], max_tokens=64,
        tool_choice={"type": "function", "function": {"name": "count"}})
    call = answer.choices[0].message.tool_calls[0]
    assert call.function.name == "count" and '"n"' in call.function.arguments, call


@check
def openai_responses(base, model):
    """openai: responses, streamed, and one that goes on from it"""
    import openai
    client = openai.OpenAI(base_url=f"{base}/v1", api_key="none")
    with client.responses.stream(model=model, input="Tell me about the sea.") as stream:
        first = stream.get_final_response()
    assert first.output_text
    second = client.responses.create(model=model, input="And then?", previous_response_id=first.id, max_output_tokens=8)
    assert second.previous_response_id == first.id
    assert client.responses.input_items.list(first.id).data[0].content[0].text == "Tell me about the sea."


@check
def openai_batch(base, model):
    """openai: a file, a batch of it, and its answers"""
    import json
    import time

    import openai
    client = openai.OpenAI(base_url=f"{base}/v1", api_key="none")
    lines = [json.dumps({"custom_id": str(index), "method": "POST", "url": "/v1/chat/completions", "body": {
        "model": model, "messages": QUESTION, "max_tokens": 4}}) for index in range(3)]
    file = client.files.create(file=("batch.jsonl", "\n".join(lines).encode()), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    for _ in range(300):
        batch = client.batches.retrieve(batch.id)
        if batch.status == "completed":
            break
        time.sleep(0.1)
    answers = client.files.content(batch.output_file_id).text.splitlines()
    assert [json.loads(answer)["custom_id"] for answer in answers] == ["0", "1", "2"]


@check
def openai_errors(base, model):
    """openai: errors are the right exceptions, and name the field"""
    import openai
    client = openai.OpenAI(base_url=f"{base}/v1", api_key="none")
    try:
        client.chat.completions.create(model="none", messages=QUESTION)
        raise AssertionError("an unknown model answered")
    except openai.NotFoundError as error:
        assert error.code == "model_not_found"
    try:
        client.chat.completions.create(model=model, messages=QUESTION, temperature=3)
        raise AssertionError("a temperature of 3 was taken")
    except openai.BadRequestError as error:
        assert error.param == "temperature"
    try:
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": "word " * 100_000}])
        raise AssertionError("an endless prompt was taken")
    except openai.BadRequestError as error:
        assert error.code == "context_length_exceeded"


@check
def anthropic_messages(base, model):
    """anthropic: a message, streamed and not, and its count of tokens"""
    import anthropic
    client = anthropic.Anthropic(base_url=base, api_key="none")
    whole = client.messages.create(model=model, messages=QUESTION, max_tokens=16, system="Be brief.")
    assert whole.content[0].text and whole.stop_reason in ("end_turn", "max_tokens")
    with client.messages.stream(model=model, messages=QUESTION, max_tokens=16) as stream:
        assert "".join(stream.text_stream) == stream.get_final_message().content[0].text
    counted = client.messages.count_tokens(model=model, messages=QUESTION, system="Be brief.")
    assert counted.input_tokens == whole.usage.input_tokens + whole.usage.cache_read_input_tokens
    try:
        client.messages.create(model="none", messages=QUESTION, max_tokens=1)
        raise AssertionError("an unknown model answered")
    except anthropic.NotFoundError:
        pass


@check
def ollama_chat(base, model):
    """ollama: chat and generate, streamed and not, list, show"""
    import ollama
    client = ollama.Client(host=base)
    whole = client.chat(model=model, messages=QUESTION, options={"num_predict": 12, "seed": 3})
    pieces = client.chat(model=model, messages=QUESTION, options={"num_predict": 12, "seed": 3}, stream=True)
    assert whole.message.content == "".join(piece.message.content for piece in pieces)
    assert client.generate(model=model, prompt="Once", options={"num_predict": 4}).response
    assert any(found.model == model for found in client.list().models)
    assert "completion" in client.show(model).capabilities


@check
def litellm_chat(base, model):
    """litellm: a chat, and an unknown model"""
    import litellm
    litellm.suppress_debug_info = True
    options = {"api_base": f"{base}/v1", "api_key": "none", "messages": QUESTION, "max_tokens": 8}
    assert litellm.completion(model=f"openai/{model}", **options).choices[0].message.content
    try:
        litellm.completion(model="openai/none", **options)
        raise AssertionError("an unknown model answered")
    except litellm.NotFoundError:
        pass


@check
def llm_prompt(base, model):
    """llm: a prompt, as a model of its settings file"""
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "extra-openai-models.yaml").write_text(
            f"- model_id: qalam\n  model_name: {model}\n  api_base: {base}/v1\n")
        answer = subprocess.run(
            [pathlib.Path(sys.executable).parent / "llm", "-m", "qalam", "-o", "max_tokens", "8", "Tell me of a fox."],
            env=os.environ | {"LLM_USER_PATH": folder, "OPENAI_API_KEY": "none"}, capture_output=True, text=True)
        assert answer.returncode == 0 and answer.stdout.strip(), answer.stderr


@check
def langchain_chat(base, model):
    """LangChain: ChatOpenAI, streamed and not, and OpenAIEmbeddings"""
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings
    chat = ChatOpenAI(base_url=f"{base}/v1", api_key="none", model=model, max_tokens=8)
    assert chat.invoke("Tell me about the sea.").content
    assert "".join(piece.content for piece in chat.stream("Tell me about the sea."))
    embeddings = OpenAIEmbeddings(
        base_url=f"{base}/v1", api_key="none", model=model, check_embedding_ctx_length=False)
    vectors = embeddings.embed_documents(["a fox", "the sea"])
    assert len(vectors) == 2 and len(vectors[0]) == len(vectors[1]) > 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", default=".build/release/qalam")
    parser.add_argument("--model", default="models/qalam-mini")
    options = parser.parse_args()
    model = pathlib.Path(options.model).name.removesuffix(".gguf")
    failed = 0
    for function in CHECKS:
        with tempfile.TemporaryDirectory() as folder:
            process = subprocess.Popen(
                [options.program, "serve", "--port", "0", "--data", folder, "--model", options.model,
                 "--log-level", "error"], stdout=subprocess.PIPE, text=True, cwd=ROOT)
            base = next(found[0] for found in (re.search(r"https?://\S+", line) for line in process.stdout) if found)
            try:
                function(base, model)
                print(f"ok    {function.__doc__}", flush=True)
            except Exception:
                failed += 1
                print(f"FAIL  {function.__doc__}\n{traceback.format_exc(limit=3)}", flush=True)
            finally:
                process.terminate()
                process.wait()
    sys.exit(1 if failed else 0)


main()
