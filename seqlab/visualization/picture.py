"""A picture as an object: a notebook shows it, `save` writes it, and nothing is drawn before one of them asks."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.errors import InputError
from ..config.arguments import checked
from .output import check_output, write_bytes

if TYPE_CHECKING:
    from .page import Page


@checked
class Picture(ABC):
    """A map or training curves, drawn when they are shown or saved.

    As the last line of a notebook's cell a picture shows itself: interactive where scripts run, as a still image
    elsewhere. `save` writes it in the format that the file's ending names. Settings are checked when the picture is
    made, so a mistake is reported before any work.
    """

    def __init__(self) -> None:
        self._path: Path | None = None
        self._format: str | None = None

    def save(self, path: str | Path) -> Path:
        """Write the picture to a file, replacing one that is there.

        Args:
            path: the file; its ending chooses the format. `.html` is an interactive page in one file that needs no
                network; `.png`, `.svg` and `.pdf` are still pictures.

        Returns:
            The path.

        Raises:
            InputError: an unknown ending, a path that cannot be written, or words that no installed font can show.
        """
        kind = check_output(path)
        try:
            content = self.content(kind)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        write_bytes(path, content)
        self._path, self._format = Path(path), kind
        return self._path

    def content(self, kind: str) -> bytes:
        """The picture as the bytes of a file. Use it to send a picture somewhere without a file.

        Args:
            kind: "html", "png", "svg" or "pdf".

        Raises:
            InputError: words that no installed font can show.
        """
        return self.page().document().encode("utf-8") if kind == "html" else self.still(kind)

    @abstractmethod
    def page(self) -> Page:
        """The interactive picture."""

    @abstractmethod
    def still(self, kind: str) -> bytes:
        """The picture drawn by matplotlib, as the bytes of a png, svg or pdf file."""

    @property
    @abstractmethod
    def notes(self) -> list[str]:
        """Sentences about what the picture does not show, for the person who looks at it."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """What the picture shows and where it was saved last ("path" and "format", None before), as JSON values."""

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        return self.page().cell() + notes

    def _repr_png_(self) -> bytes | None:
        try:
            return self.still("png")
        except InputError:  # no font for its words; the interactive picture is drawn with the browser's
            return None
