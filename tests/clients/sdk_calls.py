"""Runs within the clients' environment: makes the calls that it reads, a JSON object a line, and tells what came.

One process for many calls, since the packages take a second to import. What a call gave is told as its user sees it:
values and exceptions of the packages, nothing of HTTP.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import anthropic
import openai

Told = dict[str, Any]
QUESTION = [{"role": "user", "content": "What is the weather at the harbour?"}]
MODEL = "fake-model"


def chat(client: openai.OpenAI) -> Told:
    answer = client.chat.completions.create(model=MODEL, messages=QUESTION)
    choice = answer.choices[0]
    return {"text": choice.message.content, "finish": choice.finish_reason, "output": answer.usage.completion_tokens}


def chat_stream(client: openai.OpenAI) -> Told:
    told: Told = {"text": "", "ids": [], "created": [], "models": [], "finish": [], "usages": 0}
    options = {"include_usage": True}
    for chunk in client.chat.completions.create(model=MODEL, messages=QUESTION, stream=True, stream_options=options):
        told["ids"].append(chunk.id)
        told["created"].append(chunk.created)
        told["models"].append(chunk.model)
        told["usages"] += chunk.usage is not None
        for choice in chunk.choices:
            told["text"] += choice.delta.content or ""
            told["finish"] += filter(None, [choice.finish_reason])
    return told | {name: sorted(set(told[name])) for name in ("ids", "created", "models")}


def responses(client: openai.OpenAI) -> Told:
    answer = client.responses.create(model=MODEL, input=QUESTION)
    return {"text": answer.output_text, "finish": answer.status, "output": answer.usage.output_tokens}


def responses_stream(client: openai.OpenAI) -> Told:
    told: Told = {"text": "", "kinds": [], "numbers": [], "finish": []}
    for event in client.responses.create(model=MODEL, input=QUESTION, stream=True):
        told["kinds"].append(event.type)
        told["numbers"].append(event.sequence_number)
        if event.type == "response.output_text.delta":
            told["text"] += event.delta
        if event.type == "response.completed":
            told["finish"].append(event.response.status)
            told["whole"] = event.response.output_text
    return told


def embeddings(client: openai.OpenAI) -> Told:
    answer = client.embeddings.create(model=MODEL, input="calm")
    return {"vector": answer.data[0].embedding}


def models(client: openai.OpenAI) -> Told:
    return {"models": [model.id for model in client.models.list()]}


def messages(client: anthropic.Anthropic) -> Told:
    answer = client.messages.create(model=MODEL, max_tokens=99, messages=QUESTION)
    text = "".join(block.text for block in answer.content)
    return {"text": text, "finish": answer.stop_reason, "output": answer.usage.output_tokens}


def messages_stream(client: anthropic.Anthropic) -> Told:
    """By the package's own accumulator, beside the events as they came."""
    told: Told = {"text": "", "kinds": [], "ids": []}
    with client.messages.stream(model=MODEL, max_tokens=99, messages=QUESTION) as stream:
        for event in stream:
            told["kinds"].append(event.type)
            if event.type == "text":  # the package's own, made of a delta
                told["text"] += event.text
            if event.type == "message_start":
                told["ids"].append(event.message.id)
        final = stream.get_final_message()
    told["whole"] = "".join(block.text for block in final.content)
    return told | {"finish": [final.stop_reason], "output": final.usage.output_tokens}


def count_tokens(client: anthropic.Anthropic) -> Told:
    return {"tokens": client.messages.count_tokens(model=MODEL, messages=QUESTION).input_tokens}


OPENAI: dict[str, Callable[[openai.OpenAI], Told]] = {
    call.__name__: call for call in (chat, chat_stream, responses, responses_stream, embeddings, models)
}
ANTHROPIC: dict[str, Callable[[anthropic.Anthropic], Told]] = {
    call.__name__: call for call in (messages, messages_stream, count_tokens)
}


def made(call: str, url: str, token: str, retries: int | None = None) -> Told:
    """What the call gave, or the exception that its user has to handle. `retries`: other than the package's own."""
    patience = {} if retries is None else {"max_retries": retries}
    try:
        if call in OPENAI:
            with openai.OpenAI(base_url=f"{url}/v1", api_key=token, **patience) as client:
                return OPENAI[call](client)
        with anthropic.Anthropic(base_url=url, api_key=token, **patience) as client:
            return ANTHROPIC[call](client)
    except (openai.APIError, anthropic.APIError) as error:
        return {"error": type(error).__name__, "status": getattr(error, "status_code", None), "says": str(error)}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(made(**json.loads(line))), flush=True)
