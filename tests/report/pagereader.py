"""A strict reader of HTML: every tag closed where it was opened, SVG well-formed, ids unique."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

VOID = {"meta", "br", "link", "img", "input", "hr"}
PARAGRAPH_ENDS = {"p", "div", "table", "ul", "ol", "dl", "section", "h1", "h2", "details", "figure", "nav"}


class Page(HTMLParser):
    """text: of all elements. tags: [(name, attributes)]. styles, titles: contents of those elements."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.styles = ""
        assert source.startswith("<!DOCTYPE html>")
        self.feed(source)
        self.close()
        assert not self.open, f"not closed: {self.open}"
        for picture in re.findall(r"<svg.*?</svg>(?!\s*{)", source, re.DOTALL):
            if picture.count("<svg") == picture.count("</svg>"):
                ElementTree.fromstring(picture)
        ids = [attributes["id"] for _, attributes in self.tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        for _, attributes in self.tags:
            if attributes.get("href", "").startswith("#"):
                assert attributes["href"][1:] in ids

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, attrs)
        assert not ("p" in self.open and tag in PARAGRAPH_ENDS), f"<{tag}> ends a paragraph"
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert "svg" in self.open, f"<{tag}/> outside of a picture"
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> inside of {self.open}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            self.styles += data
        else:
            self.text += data

    def count(self, tag: str, **attributes: str) -> int:
        """How many elements have a class (or other attribute) of this value among theirs."""
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        return sum(
            name == tag and all(value in has.get(key, "").split() for key, value in wanted.items())
            for name, has in self.tags
        )
