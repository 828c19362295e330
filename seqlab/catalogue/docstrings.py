"""English prose out of a docstring: what one would read aloud stays, a paragraph a line.

No markup language is parsed (docutils takes 18 times as long): blank lines, indents and bullets tell paragraphs, how a
line begins tells code and tables, and of what is left only sentences that read as English stay.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator


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
_FUNCTION_WORDS = word_set(
    "a an and any are as at be been but by can for from has have if in into is it its may must no not of on "
    "only or otherwise should such than that the their then there these this to used uses using was when "
    "where whether which will with you"
)

_DIRECTIVE = re.compile(r"\.\.\s+(?:\|[^|]+\|\s+)?([A-Za-z][\w:+.-]*?)::(?:\s+v?[\d.]+\w*:?(?=\s|$))?(?:\s+(.*))?$")
_TYPE = re.compile(r":r?type\b")
_FIELD = re.compile(r":(\w+)(?: +(?:[^:]* )?([\w*.]+))?:(?:\s+(.*))?$")
_HEADING_RULE = re.compile(r"([=\-~^\"'`*+#.:_])\1{2,}$")
_CODE_OR_TABLE = re.compile(r">>>|\.\.\. |In \[\d+\]:|\$ |% |#!|@\w|[=-]{2,}(\s+[=-]{2,})+$|\+[-=+]+\+$|\|.*\|$")
_BULLET = re.compile(r"([-*+•]|\(?[0-9a-zA-Z]{1,2}[.)])\s+")
_TERM = re.compile(r"(\*{0,2}[\w.*, `\\()\[\]-]+?)\s+:(?:\s+(\S.*))?$")
_NAME = re.compile(r"[`*]*[A-Za-z_][\w.]*[`*]*$")
_ITEM = re.compile(r"\*{0,2}[`\w.]+(\s*\([^)]*\))?\s?:\s+\S")
_SIGNATURE = re.compile(r"[\w.]+\(.*\)?(\s*->.*|\s*--)?$")
_CITING_WORDS = word_set("see in of from by to e.g. cf. also with and or and,")
_CITATION = re.compile(r"(\S*?)[,;]?\s*\[[\w*#-]+\]_")
_MARKUP = (
    (re.compile(r":[\w:+-]+:`[~!.]*([^`]*?)(?:\s*<[^`>]*>)?`"), r"\1"),  # a role
    (re.compile(r"`([^`<]+?)\s*<[^`>]*>`_{0,2}"), r"\1"),  # a link
    (re.compile(r"``(.+?)``"), r"\1"),
    (re.compile(r"`[~!.]*([^`]*)`_{0,2}"), r"\1"),
    (re.compile(r"(?<![\w*])(\*{1,2})(?=[^\s*])([^*]*[^\s*])\1(?![\w*])"), r"\2"),
    (re.compile(r"\|(\w[^|]*)\|_{0,2}"), r"\1"),
    (re.compile(r"\{([^{}]*['\",][^{}]*)\}"), r"\1"),
    (re.compile(r"\\([*_])|\\ "), r"\1"),
    (re.compile(r"\s+"), " "),
    (re.compile(r" ([.,;])(?=\s|$)"), r"\1"),
)
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z(`\"'])")
_PLAIN_WORD = re.compile(r"[A-Za-z]+(?:['’-][A-Za-z]+)*$")
_UNREADABLE = re.compile(
    r"https?://|\\[a-zA-Z{(\[]|%\(|\{\w*\}|\$|>>>|=>|->|==|\)\s*=|\w\(\w+\)\.|\^|[{}]|\bself\.|\]_|::|__|sphx_glr"
)


def paragraphs(docstring: str) -> list[str]:
    """Extract the prose of a docstring; each paragraph is one line."""
    blocks = [*_blocks(docstring), ""]
    found = []
    for text, after in zip(blocks, blocks[1:], strict=False):
        plain = _inline(text)
        if plain.endswith(":") and not _BULLET.match(after):  # a last sentence that announces what was left out
            plain = " ".join(_SENTENCE.split(plain)[:-1])
        if plain := _readable(plain):
            found.append(plain)
    return found


def _blocks(docstring: str) -> Iterator[str]:
    """Paragraphs of a docstring with their markup, without headings, code, tables and directives that are no prose."""
    block: list[str] = []
    indent = 0  # of the block's last line
    below: int | None = None  # lines indented more than this are skipped: the body of a directive, a literal block
    to_blank = dropped = fenced = False  # whether lines are skipped up to the next blank one, heading, or fence
    for line in [*inspect.cleandoc(docstring).expandtabs().splitlines(), ""]:
        text = line.strip()
        depth = len(line) - len(line.lstrip())
        if fenced or text.startswith("```"):
            fenced ^= text.startswith("```")
            text = ""
        ended = not text or to_blank
        if text and below is not None and depth > below:
            continue
        below = below if not text else None
        to_blank = to_blank and bool(text)
        if text and not to_blank and text.startswith("..") and (text == ".." or text[2] == " "):
            match = _DIRECTIVE.match(text)
            prose = match and match[1] in _PROSE_DIRECTIVES
            ended, below = True, None if prose else depth
            text = (match[2] or "") if match and prose else ""
        elif not ended and _HEADING_RULE.match(text):
            dropped = bool(block) and _key(block[-1]) in _DROPPED_SECTIONS
            block, ended, text = block[:-1], True, ""
        elif not ended and _CODE_OR_TABLE.match(text):
            ended = to_blank = True
        elif not ended and text.endswith(":") and _key(text) in _HEADINGS:
            ended, dropped = True, _key(text) in _DROPPED_SECTIONS
            below, text = depth if text.endswith("::") else None, ""
        elif field := _FIELD.match(text):
            ended = True
            text = "" if _TYPE.match(text) else f"{field[2] or field[1].capitalize()}: {field[3] or ''}"
        elif block:
            one = len(block) == 1
            ended |= bool(_BULLET.match(text) or (_ITEM.match(text) and _ITEM.match(block[0])))
            ended |= depth < indent or (depth > indent and not one)
            if one and depth > indent and not ended:  # a term and its definition, or the hanging indent of a list
                block = [_defined(block[0])]
        if ended and block:
            if not dropped:
                yield " ".join(block)
            block = []
        if text and not to_blank:
            block.append(text[:-1] if text.endswith("::") else text)
            indent = depth
            if text.endswith("::"):
                below = depth


def _key(heading: str) -> str:
    return heading.rstrip(":").lower().replace(" ", "-")


def _defined(term: str) -> str:
    """`x : int, optional` as `x (int, optional):`, ready for its definition; anything but a name stays."""
    if match := _TERM.match(term):
        return f"{match[1]} ({match[2].rstrip('.')}):" if match[2] else f"{match[1]}:"
    return f"{term}:" if _NAME.match(term) else term


def _inline(text: str) -> str:
    """Inline markup replaced by the text it shows."""
    if "]_" in text:
        text = _CITATION.sub(lambda m: m[0] if m[1].lower() in _CITING_WORDS else m[1], text)
    for mark, shown in _MARKUP:
        text = mark.sub(shown, text)
    return text.strip()


def _readable(paragraph: str) -> str:
    """The sentences of a paragraph that are English, or an empty string."""
    if _SIGNATURE.match(paragraph):
        return ""
    text = " ".join(sentence for sentence in _SENTENCE.split(paragraph) if not _UNREADABLE.search(sentence))
    tokens = text.split()
    plain = [token for token in (token.strip(".,;:()!?\"'") for token in tokens) if _PLAIN_WORD.match(token)]
    if len(plain) < max(3, 0.6 * len(tokens)):
        return ""
    if len(tokens) > 5 and not any(token.lower() in _FUNCTION_WORDS for token in plain):
        return ""
    if not text.isascii() and sum(not c.isascii() for c in text) > 0.05 * len(text):
        return ""
    return text
