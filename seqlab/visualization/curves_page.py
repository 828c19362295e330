"""Training curves as a page: zoom, hover, runs switched on and off in the legend."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .curves import AXES, PANELS, Curve, RunCurves, is_logarithmic, loss_range, perplexity_ticks, used_panels
from .page import write_page

TITLE = "Training curves"
CAPTION = (
    "Lines: training loss, smoothed (faint: as logged). Dots: validation loss. "
    "Click a run in the legend to hide it, twice to see it alone."
)

SCRIPT = """
const webgl = Boolean(document.createElement("canvas").getContext("webgl"));
const line = (run, width, more) => ({ color: run.color, width, ...more });
const lone = (curve) => curve.x.length === 1 ? "markers" : "lines";

/* The traces of one run: loss as logged, smoothed loss, validation loss, then one for each small panel. */
function runTraces(run, place) {
  const name = escapeText(run.name), label = escapeText(run.label);
  const trained = run.smooth.y.map((y) => `${name}: training ${y.toFixed(3)}`);
  const validated = run.valid.y.map(
    (y) => `${name}: validation ${y.toFixed(3)}, perplexity ${Math.exp(y).toPrecision(4)}`);
  const traces = [
    { ...run.loss, mode: "lines", opacity: 0.25, line: line(run, 1), hoverinfo: "skip" },
    { ...run.smooth, mode: lone(run.smooth), name: label, showlegend: true, line: line(run, 2),
      text: trained, hoverinfo: "text" },
    { ...run.valid, mode: "lines+markers", line: line(run, 1, { dash: "dash" }), text: validated,
      hoverinfo: "text", marker: { size: 8, color: run.color, line: { color: color("paper"), width: 1 } } },
    ...run.panels.map((curve, p) => ({ ...curve, mode: lone(curve), name, line: line(run, 1),
      hoverinfo: "x+y", xaxis: `x${p + 2}`, yaxis: `y${p + 2}` })),
  ];
  const shared = { type: webgl ? "scattergl" : "scatter", legendgroup: String(place), showlegend: false };
  return traces.map((trace) => ({ ...shared, ...trace }));
}

function draw() {
  const grid = color("line"), quiet = color("quiet");
  const usual = { gridcolor: grid, zeroline: false, tickfont: { color: quiet }, automargin: true };
  const axis = (more) => ({ ...usual, ...more });
  const first = data.runs[0].smooth;
  const perplexities = { x: [first.x[0]], y: [first.y[0]], yaxis: "y9", opacity: 0, mode: "markers",
    hoverinfo: "skip", showlegend: false };  // unseen: plotly draws no axis without a trace
  const layout = {
    paper_bgcolor: color("paper"), plot_bgcolor: color("paper"), font: { color: color("ink"), size: 13 },
    margin: { l: 70, r: 70, t: 20, b: 45 }, hovermode: "closest", uirevision: "same", annotations: [],
    legend: { x: 1, y: 1, xanchor: "right", bgcolor: "rgba(0,0,0,0)" },
    hoverlabel: { bgcolor: color("paper"), bordercolor: grid, font: { color: color("ink") }, namelength: -1 },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: quiet, activecolor: color("ink") },
    xaxis: axis({ title: { text: data.x }, anchor: "y" }),
    yaxis: axis({ title: { text: "loss, nats per token" }, domain: [data.panels.length ? 0.36 : 0, 1],
      range: data.range }),
    yaxis9: axis({ title: { text: "perplexity" }, overlaying: "y", side: "right", matches: "y",
      tickvals: data.ticks.map(Math.log), ticktext: data.ticks.map((tick) => tick.toLocaleString("en")),
      showgrid: false }),
  };
  const gap = 0.07, width = (1 + gap) / Math.max(data.panels.length, 1);
  data.panels.forEach((panel, p) => {
    const domain = [p * width, (p + 1) * width - gap];
    layout[`xaxis${p + 2}`] = axis({ domain, anchor: `y${p + 2}`, matches: "x", nticks: 5 });
    layout[`yaxis${p + 2}`] = axis({ domain: [0, 0.2], anchor: `x${p + 2}`, rangemode: "tozero", nticks: 4,
      type: panel.logarithmic ? "log" : "linear" });
    layout.annotations.push({ text: panel.title, x: domain[0], y: 0.215, xref: "paper", yref: "paper",
      xanchor: "left", yanchor: "bottom", showarrow: false });
  });
  return Plotly.react(plot, [...data.runs.flatMap(runTraces), perplexities], layout, config);
}

draw();
"""


def write_curves_page(curves: Sequence[RunCurves], x: str, out: str | Path) -> None:
    """Write the curves as one HTML file that opens offline."""
    panels = used_panels(curves)
    low, high = loss_range(curves)
    data = {
        "x": AXES[x][1],
        "panels": [{"title": PANELS[panel], "logarithmic": is_logarithmic(curves, panel)} for panel in panels],
        "range": [low, high],
        "ticks": [float(f"{tick:.4g}") for tick in perplexity_ticks(low, high)],
        "runs": [
            {
                "name": run.name,
                "label": run.label,
                "color": run.color,
                "loss": _points(run.loss),
                "smooth": _points(run.smooth),
                "valid": _points(run.valid),
                "panels": [_points(run.panels[panel]) for panel in panels],
            }
            for run in curves
        ],
    }
    write_page(out, TITLE, CAPTION, data, SCRIPT)


def _points(curve: Curve) -> dict[str, list[float]]:
    """x and y with the six digits that a picture shows."""
    return {"x": curve.x.tolist(), "y": [float(f"{y:.6g}") for y in curve.y.tolist()]}
