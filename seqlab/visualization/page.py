"""One HTML file that needs nothing else: the frame, colours and theme switch of all interactive pictures."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .output import write_bytes

# Nothing may be fetched or sent. plotly compiles its WebGL drawing code at run time, hence 'unsafe-eval'.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; form-action 'none'; base-uri 'none'"
)

FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
{controls}
<button type="button" id="theme" title="Switch between light and dark">Light / dark</button>
</header>
<main id="plot"></main>
<footer>{caption}</footer>
<script>{library}</script>
<script id="data" type="application/json">{data}</script>
<script>{script}</script>
</body>
</html>
"""

STYLE = """
:root { --paper: #ffffff; --ink: #1f2328; --quiet: #6b7280; --line: #d4d7dc; color-scheme: light; }
:root[data-theme=dark] { --paper: #16181d; --ink: #e6e8eb; --quiet: #9aa1ab; --line: #343a43;
                         color-scheme: dark; }
* { box-sizing: border-box; }
body { margin: 0; height: 100vh; display: flex; flex-direction: column; font: 14px/1.4 system-ui, sans-serif;
       background: var(--paper); color: var(--ink); }
header { display: flex; flex-wrap: wrap; gap: 6px 14px; align-items: center; padding: 10px 18px;
         border-bottom: 1px solid var(--line); }
h1 { font-size: 16px; margin: 0 auto 0 0; overflow-wrap: anywhere; }
input, button { font: inherit; color: inherit; background: transparent; border: 1px solid var(--line);
                border-radius: 6px; padding: 4px 10px; }
button { cursor: pointer; }
main { flex: 1; min-height: 0; }
main .textpoint text { paint-order: stroke; stroke: var(--paper); stroke-width: 3px; stroke-linejoin: round; }
footer { padding: 8px 18px; font-size: 12px; color: var(--quiet); border-top: 1px solid var(--line);
         overflow-wrap: anywhere; }
"""

THEME = """
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const plot = document.getElementById("plot");
const root = document.documentElement;
const color = (name) => getComputedStyle(root).getPropertyValue("--" + name).trim();
const escapeText = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
/* The buttons are named one by one: among plotly's own is one that uploads the picture's data. */
const config = {
  modeBarButtons: [["toImage"], ["zoom2d", "pan2d"], ["zoomIn2d", "zoomOut2d", "resetScale2d"]],
  plotlyServerURL: "", scrollZoom: true, displaylogo: false, doubleClick: "reset", typesetMath: false,
};
root.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
document.getElementById("theme").addEventListener("click", () => {
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  draw();
});
new ResizeObserver(() => { if (plot.data) Plotly.Plots.resize(plot); }).observe(plot);
"""


def script_json(value: Any) -> str:
    """JSON that can stand inside a <script> element: no character of it can end or open one."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def write_page(
    out: str | Path, title: str, caption: str, data: Mapping[str, Any], script: str, controls: str = ""
) -> None:
    """Write a page with plotly's script inlined and a policy that forbids the network.

    Args:
        title, caption: any text; escaped here.
        data: what `script` finds as `data`; any text in it is safe, also markup.
        script: JavaScript that defines `draw()`, which the theme button calls again, and calls it once. It
            may use `plot`, `config`, `color(name)` and `escapeText(text)`; plotly renders text as markup, so
            words must be escaped before they are given to it.
        controls: trusted HTML for the head of the page.
    """
    from plotly.offline import get_plotlyjs

    page = FRAME.format(
        policy=POLICY,
        title=html.escape(title),
        caption=html.escape(caption),
        style=STYLE,
        controls=controls,
        library=get_plotlyjs(),
        data=script_json(data),
        script=THEME + script,
    )
    write_bytes(out, page.encode("utf-8"))
