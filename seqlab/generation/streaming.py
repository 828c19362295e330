"""Ids become text while they are made: whole characters only, and nothing of a stop string."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..text import Tokenizer


class StopFilter:
    """Lets text through until the first of `stops` is complete.

    What could still become a stop string is held back. The result does not depend on how the text is cut into
    pieces: the stop string that is complete first wins, and of several complete at once the longest.
    """

    def __init__(self, stops: Sequence[str]):
        self.stops = [stop for stop in stops if stop]
        self.held = ""
        self.matched = False

    def push(self, piece: str) -> str:
        """The text that may be shown now that `piece` has come."""
        if self.matched:
            return ""
        text = self.held + piece
        found = [(start + len(stop), start) for stop in self.stops if (start := text.find(stop)) >= 0]
        if found:
            self.matched, self.held = True, ""
            return text[: min(found)[1]]
        held = max((_overlap(text, stop) for stop in self.stops), default=0)
        self.held = text[len(text) - held :]
        return text[: len(text) - held]

    def flush(self) -> str:
        """What was held back; no more text comes."""
        held, self.held = self.held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` with which `stop` begins, without being all of it."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)


class TextReader:
    """The text of one continuation, token by token.

    Args:
        prompt: ids that came before; they set the spacing and are not part of the text.
        stops: texts that end it and do not appear in it.
        eos_id: the token that ends it, without text of its own.
        write: called with each new part of the text as soon as it is certain.
        skip: characters of the first tokens that are the prompt's, and not part of the text.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        prompt: Sequence[int],
        stops: Sequence[str] = (),
        eos_id: int | None = None,
        write: Callable[[str], None] | None = None,
        skip: int = 0,
    ):
        self.decoder = tokenizer.decoder()
        for token in prompt:
            self.decoder.push(token)
        self.filter = StopFilter(stops)
        self.eos_id, self.write, self.skip = eos_id, write, skip
        self.pieces: list[str] = []
        self.shown: list[str] = []

    def push(self, token: int) -> bool:
        """Read one more id. True when it ends the text."""
        if token == self.eos_id:
            self.pieces.append("")
            return True
        decoded = self.decoder.push(token)
        piece, self.skip = decoded[self.skip :], max(0, self.skip - len(decoded))
        self.pieces.append(piece)
        self._show(self.filter.push(piece))
        return self.filter.matched

    def close(self) -> tuple[str, list[str]]:
        """The whole text, and each token's part of it: a character spread over tokens belongs to the last of them, and
        one that is not finished is left out."""
        if not self.filter.matched:
            self._show(self.filter.flush())
        text = "".join(self.shown)
        parts, end = [], 0
        for piece in self.pieces:
            parts.append(text[end : end + len(piece)])
            end += len(piece)
        return text, parts

    def _show(self, text: str) -> None:
        if text:
            self.shown.append(text)
            if self.write is not None:
                self.write(text)
