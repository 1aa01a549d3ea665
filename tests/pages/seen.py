"""What a page says, read from the messages that Streamlit would send to the browser."""
from __future__ import annotations

import re
from collections.abc import Iterator

from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block, Dataframe, Node

MARKDOWN = ("markdown", "heading", "alert", "button", "button_group", "checkbox", "number_input", "text_input", "slider", "metric",
            "expandable", "popover", "page_link", "progress", "toast")
"""Messages whose texts the browser takes for Markdown."""


def texts(page: AppTest) -> list[tuple[str, str]]:
    """Every text on the page and in its sidebar as (kind of message, text); cells of tables included."""
    return [found for block in (page.main, page.sidebar) for found in _of_node(block)]


def said(page: AppTest) -> str:
    return "\n".join(text for _kind, text in texts(page))


def markdown(page: AppTest) -> str:
    """What the browser takes for Markdown; what stands in fields to be changed is shown as it is."""
    typed = {field.value for field in page.text_input}
    return "\n".join(text for kind, text in texts(page) if kind in MARKDOWN and not (kind == "text_input" and text in typed))


def html(page: AppTest) -> str:
    return "\n".join(text for kind, text in texts(page) if kind == "html")


def trouble(page: AppTest) -> list[str]:
    """Signs that a page failed: exceptions, error boxes, tracebacks, placeholders that nobody filled. The texts of components are
    templates, which the browser fills; formulas have braces of their own."""
    found = [str(error.value) for error in page.exception] + [error.value for error in page.error]
    return found + [text for kind, text in texts(page) if "Traceback" in text
                    or kind in MARKDOWN and not text.startswith("$$") and re.search(r"{\w+}", text)]


def _of_node(node: Node) -> Iterator[tuple[str, str]]:
    if isinstance(node, Dataframe):
        yield "cell", node.value.to_csv(index=False)
    elif (proto := getattr(node, "proto", None)) is not None:
        yield from ((_kind(node, proto), text) for text in strings(proto))
    if isinstance(node, Block):
        for child in node.children.values():
            yield from _of_node(child)


def _kind(node: Node, proto: Message) -> str:
    name = proto.DESCRIPTOR.name
    snake = "".join("_" + letter.lower() if letter.isupper() else letter for letter in name).strip("_")
    return (proto.WhichOneof("type") or snake) if name in ("Element", "Block") else snake


def strings(message: Message) -> Iterator[str]:
    """All texts in a message of Streamlit's."""
    for field, value in message.ListFields():
        many = value if not isinstance(value, (str, bytes, int, float, bool, Message)) and hasattr(value, "__iter__") else [value]
        for one in many:
            if isinstance(one, str):
                yield one
            elif isinstance(one, Message):
                yield from strings(one)
