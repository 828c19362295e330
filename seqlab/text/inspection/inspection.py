"""The result of inspecting a text: what the command line prints and a notebook shows."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import Any

from ...base.printing import printable
from ...base.results import Result, Table, abbreviated, line


class Inspection(Result):
    """What a text is like: its counts under every tokenizer, its oddities, and what to mend.

    Attributes:
        tokenizer: the kind of tokenizer that suits the text and that `prepare` would choose.
        findings: plain sentences, the gravest first; the last says which tokenizer suits.
    """

    def __init__(self, report: Mapping[str, Any]):
        self._report = dict(report)
        self.tokenizer: str = report["tokenizer"]
        self.findings: list[str] = list(report["findings"])

    def __repr__(self) -> str:
        report, sources = self._report, [printable(source) for source in self._report["sources"]]
        facts = [
            sources[0] if len(sources) == 1 else f"{len(sources):,} files",
            f"{abbreviated(report['chars'])} characters, {abbreviated(report['words'])} words",
            f"tokenizer {self.tokenizer}",
            f"{len(self.findings):,} finding{'s' * (len(self.findings) != 1)}",
        ]
        return line("Inspection", facts)

    def to_json(self) -> dict[str, Any]:
        """All figures, as plain values.

        Returns:
            chars, bytes (as UTF-8), words (between white space), lines, documents, tokens and types under `tokenizer`,
            the same for every kind (`tokenizers`), files, frequent, rare, hapax_share, longest_line, duplicate_lines,
            characters, splits, findings. Shares are fractions. `estimated` names the figures that are estimates.
        """
        return dict(self._report)

    def table(self) -> Table:
        """Tokens and types of every text under every tokenizer."""
        splits = {"train": self._report, **self._report["splits"]}
        headers = ["tokenizer"]
        for name in splits:
            headers += [f"{what} {name}" if name != "train" else what for what in ("tokens", "types")]
        rows = [
            [kind, *(split["tokenizers"][kind][what] for split in splits.values() for what in ("tokens", "types"))]
            for kind in self._report["tokenizers"]
        ]
        return Table(headers, rows)

    def text(self) -> str:
        """The whole report, for a terminal."""
        parts = [*self._files(), self._size(), "", self.table().text(), "(bpe is an estimate from a sample)", ""]
        parts += [*self._words(), *self._comparisons(), "", "Findings"]
        return "\n".join(parts + [f"- {printable(finding)}" for finding in self.findings])

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{html.escape(finding)}</li>" for finding in self.findings)
        return f"<p>{html.escape(self._size())}</p>{self.table().html()}<ul>{items}</ul>"

    def _files(self) -> Iterator[str]:
        files = self._report["files"]
        for file in files[:5]:
            facts = [f"{file['bytes']:,} bytes", "not valid " * bool(file["invalid"]) + file["encoding"].upper()]
            facts += ["byte order mark"] * file["byte_order_mark"]
            facts += [f"{file['line_ends']} line ends"] if file["line_ends"] else []
            facts += [file["compression"]] if file["compression"] else []
            yield f"{printable(file['name'])}: {', '.join(facts)}"
        if len(files) > 5:
            yield f"and {len(files) - 5:,} more files"

    def _size(self) -> str:
        report, longest = self._report, self._report["longest_line"]
        return (
            f"documents {report['documents']:,} · lines {report['lines']:,} ({report['blank_lines']:,} blank; line "
            f"{longest['line']:,} is the longest, {longest['chars']:,} characters) · words {report['words']:,} · "
            f"characters {report['chars']:,} · bytes as UTF-8 {report['bytes']:,}"
        )

    def _words(self) -> Iterator[str]:
        report, repeated = self._report, self._report["duplicate_lines"]
        yield "most frequent  " + printable(", ".join(f"{x['word']} {x['count']:,}" for x in report["frequent"]))
        once = f"{report['hapax_share']:.0%} of the types occur once"
        yield f"rare           {printable(', '.join([*report['rare'], once]))}"
        most = [f"'{item['line'][:40]}' {item['count']:,}" for item in repeated["most_repeated"][:3]]
        share = f"{repeated['share']:.1%} of the lines repeat an earlier one"
        yield f"repeated       {printable(', '.join([share, *most]))}"

    def _comparisons(self) -> Iterator[str]:
        for name, split in self._report["splits"].items():
            unknown, overlap = split["unknown"], split["overlap"]
            yield (
                f"{name:<13}  unknown: {_percent(unknown['word'])} of word, {_percent(unknown['whitespace'])} of "
                f"whitespace tokens, {_percent(unknown['char'])} of characters; also in the training text: "
                f"{_percent(overlap['lines'])} of lines, {_percent(overlap['runs'])} of runs of {overlap['run_words']} "
                "words"
            )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.2%}"
