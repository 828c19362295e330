"""Interactive pictures as one HTML document that needs nothing else, for a file or for a cell of a notebook."""

from __future__ import annotations

import base64
import gzip
import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

# Nothing may be fetched or sent. plotly compiles its WebGL drawing code at run time, hence 'unsafe-eval'.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; form-action 'none'; base-uri 'none'"
)


@cache
def asset(name: str) -> str:
    """A file of the folder `assets`: the scripts, styles and markup of pages."""
    return (files(__package__) / "assets" / name).read_text("utf-8")


def script_json(value: Any) -> str:
    """JSON that can stand inside a <script> element: no character of it can end or open one."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@dataclass(frozen=True)
class Page:
    """An interactive picture: its words, its data and the script that draws them.

    Args:
        title: any text; escaped here.
        caption: any text beneath the picture; escaped here.
        data: what `script` finds as `data`; any text in it is safe, also markup.
        script: a script of `assets` that defines `draw()`, which the theme button calls again, and calls it once. It
            may use what `page.js` defines. plotly renders text as markup, so words must be escaped before plotly gets
            them.
        controls: markup of `assets` for the head of the page, or "".
        height: of the picture in a notebook, in pixels.
    """

    title: str
    caption: str
    data: Mapping[str, Any]
    script: str
    controls: str = ""
    height: int = 620

    def document(self) -> str:
        """The page as a file: plotly's script is in it as it is, and a policy forbids the network."""
        from plotly.offline import get_plotlyjs

        return self._filled(f"<script>{get_plotlyjs()}</script>", f"<script>{self._code()}</script>")

    def cell(self) -> str:
        """The page as an element for the output of a notebook's cell; it works offline, and in a saved notebook too.

        The frame is a sandbox: the picture and the notebook cannot touch each other. plotly's script is compressed,
        which makes the notebook 2 MB larger instead of 5.
        """
        library = f'<script id="library" type="text/plain">{_packed_library()}</script>'
        code = f'<script id="code" type="text/plain">{self._code()}</script>\n<script>{asset("unpack.js")}</script>'
        source = html.escape(self._filled(library, code))
        style = f"width: 100%; height: {self.height}px; border: 0"
        return (
            f'<iframe title="{html.escape(self.title)}" style="{style}" sandbox="allow-scripts allow-downloads" '
            f'srcdoc="{source}"></iframe>'
        )

    def _code(self) -> str:
        return asset("page.js") + asset(self.script)

    def _filled(self, library: str, code: str) -> str:
        return asset("page.html").format(
            policy=POLICY,
            title=html.escape(self.title),
            caption=html.escape(self.caption),
            style=asset("page.css"),
            controls=asset(self.controls).rstrip() if self.controls else "",
            library=library,
            data=script_json(self.data),
            code=code,
        )


@cache
def _packed_library() -> str:
    from plotly.offline import get_plotlyjs

    return base64.b64encode(gzip.compress(get_plotlyjs().encode("utf-8"), mtime=0)).decode("ascii")
