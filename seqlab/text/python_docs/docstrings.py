"""English prose out of a docstring: reStructuredText, numpydoc and Google markup in, plain paragraphs out.

What is code, table, formula or cross-reference goes; what one would read aloud stays, a paragraph a line.
The markup is that of https://docutils.sourceforge.io/docs/ref/rst/restructuredtext.html and
https://numpydoc.readthedocs.io/en/latest/format.html.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple


def word_set(text: str) -> frozenset[str]:
    """The words of `text`."""
    return frozenset(text.split())


# Directives whose body is prose; every other directive goes with its body.
_PROSE_DIRECTIVES = word_set(
    "admonition attention caution danger deprecated error hint important note tip topic versionadded "
    "versionchanged warning"
)
_HEADINGS = word_set(
    "args arguments attributes caveats example examples keyword-args keyword-arguments methods note notes "
    "other-parameters parameters raises receives references return returns see-also shape usage warning "
    "warnings warns yields inputs outputs"
)
_DROPPED_SECTIONS = word_set("see-also references methods")
_SILENT_HEADINGS = word_set("example examples explanation usage")
_FUNCTION_WORDS = word_set(
    "a an and any are as at be been but by can for from has have if in into is it its may must no not of on "
    "only or otherwise should such than that the their then there these this to used uses using was when "
    "where whether which will with you"
)

_DIRECTIVE = re.compile(r"\.\.\s+(?:\|[^|]+\|\s+)?([A-Za-z][\w:+.-]*?)::(?:\s+(.*))?$")
_EXPLICIT = re.compile(r"\.\.(\s|$)")
_OPTION = re.compile(r":[\w-]+:(\s|$)")
_FIELD = re.compile(r":(\w+)(?: +(?:[^:]* )?([\w*.]+))?:(?:\s+(.*))?$")
_RULE = re.compile(r"([=\-~^\"'`*+#.:_])\1{2,}$")
_SIMPLE_TABLE = re.compile(r"[=-]{2,}(\s+[=-]{2,})+$")
_GRID_TABLE = re.compile(r"\+[-=+]+\+$|\|.*\|$")
_CODE = re.compile(r"(>>>|\.\.\. |In \[\d+\]:|\$ |% |#!|@\w)")
_BULLET = re.compile(r"([-*+•]|\(?[0-9a-zA-Z]{1,2}[.)])\s+")
_TERM = re.compile(r"(\*{0,2}[\w.*, `\\()\[\]-]+?)\s+:(?:\s+(\S.*))?$")
_NAME = re.compile(r"[`*]*[A-Za-z_][\w.]*[`*]*$")
_ITEM = re.compile(r"\*{0,2}[`\w.]+(\s*\([^)]*\))?\s?:\s+\S")
_SIGNATURE = re.compile(r"[\w.]+\(.*\)?(\s*->.*|\s*--)?$")
_ROLE = re.compile(r":[\w:+-]+:`([^`]*)`")
_LINK = re.compile(r"`([^`<]+?)\s*<[^`>]*>`_{0,2}")
_CITATION = re.compile(r"(\S*?)[,;]?\s*\[[\w*#-]+\]_")
_CITING_WORDS = word_set("see in of from by to e.g. cf. also with and or and,")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z(`\"'])")
_PLAIN_WORD = re.compile(r"[A-Za-z]+(?:['’-][A-Za-z]+)*$")
_UNREADABLE = re.compile(
    r"https?://|\\[a-zA-Z{(\[]|%\(|\{\w*\}|\$|>>>|=>|->|==|\)\s*=|\w\(\w+\)\.|\^|[{}]|\bself\.|\]_|::|__|sphx_glr"
)


class Paragraph(NamedTuple):
    text: str
    heading: bool


def paragraphs(docstring: str) -> list[Paragraph]:
    """The prose of a docstring; each paragraph is one line. Headings may have nothing left below them."""
    blocks = _Blocks(inspect.cleandoc(docstring).expandtabs().splitlines()).parse()
    found: list[Paragraph] = []
    dropping = False
    for i, block in enumerate(blocks):
        if block.heading:
            key = _key(block.text)
            dropping = key in _DROPPED_SECTIONS
            if not dropping and key not in _SILENT_HEADINGS:
                found.append(Paragraph(_inline(block.text).rstrip(":").capitalize(), True))
        elif not dropping:
            text = _inline(block.text)
            listed = i + 1 < len(blocks) and _BULLET.match(blocks[i + 1].text)
            if text := _readable(text if listed else _without_lead_in(text)):
                found.append(Paragraph(text, False))
    return found


def join(kept: Sequence[Paragraph]) -> str:
    """Paragraphs as text, one a line, without the headings that have nothing below them."""
    end = Paragraph("", True)
    return "\n".join(
        paragraph.text
        for paragraph, after in zip(kept, [*kept[1:], end], strict=False)
        if not (paragraph.heading and after.heading)
    )


def _key(heading: str) -> str:
    return heading.strip().rstrip(":").lower().replace(" ", "-")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


class _Blocks:
    """Splits lines into paragraphs, leaving out code, tables and directives that are not prose."""

    def __init__(self, lines: list[str]):
        self.lines = [line.rstrip() for line in lines]
        self.blocks: list[Paragraph] = []
        self.pending: list[str] = []

    def parse(self) -> list[Paragraph]:
        i = 0
        while i < len(self.lines):
            i = self._step(i)
        self._flush()
        return self.blocks

    def _step(self, i: int) -> int:
        """Consume the block or line at `i`; the index of the next one."""
        line = self.lines[i]
        text = line.strip()
        if not text:
            self._flush()
            return i + 1
        if _EXPLICIT.match(text):
            self._flush()
            return self._explicit(i)
        if text.startswith("```"):
            self._flush()
            return self._skip_while(i + 1, lambda other: not other.strip().startswith("```")) + 1
        if _CODE.match(text):
            self._flush()
            return self._skip_while(i, lambda other: bool(other.strip()))
        if _SIMPLE_TABLE.match(text) or _GRID_TABLE.match(text):
            self.pending = []
            return self._skip_while(i, lambda other: bool(other.strip()))
        if _RULE.match(text):
            if len(self.pending) == 1:
                self.blocks.append(Paragraph(self.pending.pop().strip(), True))
            self._flush()
            return i + 1
        return self._text_line(i, line, text)

    def _text_line(self, i: int, line: str, text: str) -> int:
        if self.pending and (
            _BULLET.match(text)
            or (_ITEM.match(text) and _ITEM.match(self.pending[0].strip()))
            or _indent(line) < _indent(self.pending[-1])
            or (_indent(line) > _indent(self.pending[-1]) and len(self.pending) > 1)
        ):
            self._flush()
        if match := _FIELD.match(text):
            self._flush()
            if match[1] in ("type", "rtype"):
                return i + 1
            text = f"{match[2] or match[1].capitalize()}: {match[3] or ''}"
            line = " " * _indent(line) + text
        if text.endswith(":") and _key(text) in _HEADINGS:
            self._flush()
            self.blocks.append(Paragraph(text, True))
            return self._skip_literal(i + 1, _indent(line)) if text.endswith("::") else i + 1
        if self.pending and len(self.pending) == 1 and _indent(line) > _indent(self.pending[0]):
            # A term and its definition, or the hanging indent of a list: one paragraph from here on.
            self.pending = [" " * _indent(line) + _defined(self.pending[0].strip())]
        self.pending.append(line)
        if text.endswith("::"):
            self.pending[-1] = line[:-1]
            indent = min(_indent(other) for other in self.pending)
            self._flush()
            return self._skip_literal(i + 1, indent)
        return i + 1

    def _explicit(self, i: int) -> int:
        """A directive, citation, target or comment: its body is prose only for admonitions."""
        indent = _indent(self.lines[i])
        end = self._skip_while(i + 1, lambda other: not other.strip() or _indent(other) > indent)
        match = _DIRECTIVE.match(self.lines[i].strip())
        if match and match[1] in _PROSE_DIRECTIVES:
            body = [other for other in self.lines[i + 1 : end] if not _OPTION.match(other.strip())]
            first = match[2] or ""
            if match[1] in ("deprecated", "versionadded", "versionchanged"):
                first = re.sub(r"^v?[\d.]+(\w+)?:?\s*", "", first)
            if first:
                body.insert(0, " " * (indent + 3) + first)
            self.blocks += _Blocks(body).parse()
        return end

    def _skip_literal(self, i: int, indent: int) -> int:
        return self._skip_while(i, lambda other: not other.strip() or _indent(other) > indent)

    def _skip_while(self, i: int, condition: Callable[[str], bool]) -> int:
        while i < len(self.lines) and condition(self.lines[i]):
            i += 1
        return i

    def _flush(self) -> None:
        if self.pending:
            self.blocks.append(Paragraph(" ".join(line.strip() for line in self.pending), False))
            self.pending = []


def _defined(term: str) -> str:
    """`x : int, optional` as `x (int, optional):`, ready for its definition; anything but a name stays."""
    if match := _TERM.match(term):
        return f"{match[1]} ({match[2].rstrip('.')}):" if match[2] else f"{match[1]}:"
    return f"{term}:" if _NAME.match(term) else term


def _inline(text: str) -> str:
    """Inline markup replaced by the text it shows."""
    text = _ROLE.sub(lambda match: re.sub(r"\s*<[^>]*>$", "", match[1]).lstrip("~!."), text)
    text = _LINK.sub(r"\1", text)
    if "]_" in text:
        text = _CITATION.sub(lambda m: m[0] if m[1].lower() in _CITING_WORDS else m[1], text)
    text = re.sub(r"``(.+?)``", r"\1", text)
    text = re.sub(r"`[~!.]*([^`]*)`_{0,2}", r"\1", text)
    text = re.sub(r"(?<![\w*])(\*{1,2})(?=[^\s*])([^*]*[^\s*])\1(?![\w*])", r"\2", text)
    text = re.sub(r"\|(\w[^|]*)\|_{0,2}", r"\1", text)
    text = re.sub(r"\{([^{}]*['\",][^{}]*)\}", r"\1", text)
    text = text.replace("\\*", "*").replace("\\_", "_").replace("\\ ", "")
    return re.sub(r"\s+([.,;])(?=\s|$)", r"\1", re.sub(r"\s+", " ", text)).strip()


def _without_lead_in(text: str) -> str:
    """`text` without a last sentence that announces (`as follows:`) what was left out."""
    return " ".join(_SENTENCE.split(text)[:-1]) if text.endswith(":") else text


def _readable(paragraph: str) -> str:
    """The sentences of a paragraph that are English, or an empty string."""
    if _SIGNATURE.match(paragraph):
        return ""
    kept = [sentence for sentence in _SENTENCE.split(paragraph) if not _UNREADABLE.search(sentence)]
    text = " ".join(kept)
    tokens = text.split()
    plain = [token for token in (token.strip(".,;:()!?\"'") for token in tokens) if _PLAIN_WORD.match(token)]
    if len(plain) < 3 or len(plain) < 0.6 * len(tokens):
        return ""
    if len(tokens) > 5 and not any(token.lower() in _FUNCTION_WORDS for token in plain):
        return ""
    if not text.isascii() and sum(not c.isascii() for c in text) > 0.05 * len(text):
        return ""
    return text
