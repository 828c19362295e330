const webgl = Boolean(document.createElement("canvas").getContext("webgl"));
const line = (run, width, more) => ({ color: run.color, width, ...more });
const lone = (curve) => curve.x.length === 1 ? "markers" : "lines";

/* The traces of one run: loss as logged, smoothed loss, validation losses. */
function runTraces(run, place) {
  const name = escapeText(run.name), label = escapeText(run.label);
  const trained = run.smooth.y.map((y) => `${name}: training ${y.toFixed(3)}`);
  const meaning = (y) => data.unit === "token" ? `, perplexity ${Math.exp(y).toPrecision(4)}` : "";
  const validated = run.valid.y.map((y) => `${name}: validation ${y.toFixed(3)}${meaning(y)}`);
  const live = run.live.y.map((y) => `${name}: validation without averaging ${y.toFixed(3)}${meaning(y)}`);
  const alone = run.alone.y.map((y) => `${name}: validation of the network alone ${y.toFixed(3)}${meaning(y)}`);
  const traces = [
    { ...run.loss, mode: "lines", opacity: 0.25, line: line(run, 1), hoverinfo: "skip" },
    { ...run.smooth, mode: lone(run.smooth), name: label, showlegend: true, line: line(run, 2),
      text: trained, hoverinfo: "text" },
    { ...run.valid, mode: "lines+markers", line: line(run, 1, { dash: "dash" }), text: validated,
      hoverinfo: "text", marker: { size: 8, color: run.color, line: { color: color("paper"), width: 1 } } },
    { ...run.alone, mode: "lines+markers", line: line(run, 1, { dash: "dot" }), text: alone, hoverinfo: "text",
      marker: { size: 7, symbol: "triangle-up", color: run.color } },
    { ...run.live, mode: "markers", text: live, hoverinfo: "text",
      marker: { size: 10, symbol: "circle-open", color: run.color } },
  ];
  return traces.map((trace) => ({ ...shared(place), ...trace }));
}

const shared = (place) =>
  ({ type: webgl ? "scattergl" : "scatter", legendgroup: String(place), showlegend: false });

/* The lines of a small panel, with the axes numbered p + 2. */
function panelTraces(panel, p) {
  return panel.lines.map(({ name, tint, run, curve }) => ({ ...shared(run), ...curve, mode: lone(curve),
    name: escapeText(name), line: { color: tint || color("ink"), width: 1 }, hoverinfo: "x+y+name",
    xaxis: `x${p + 2}`, yaxis: `y${p + 2}` }));
}

/* Title of a small panel, with the names of the parts in their colours. */
function panelTitle(panel) {
  const names = panel.lines.map(({ name, tint }) => `<span style="color:${tint || color("ink")}">${name}</span>`);
  return panel.parts ? `${panel.title}<br>${names.join(" · ")}` : panel.title;
}

function draw() {
  const grid = color("line"), quiet = color("quiet");
  const usual = { gridcolor: grid, zeroline: false, tickfont: { color: quiet }, automargin: true };
  const axis = (more) => ({ ...usual, ...more });
  const first = data.runs[0].smooth;
  const perplexities = { x: [first.x[0]], y: [first.y[0]], yaxis: "y99", opacity: 0, mode: "markers",
    hoverinfo: "skip", showlegend: false };  // unseen: plotly draws no axis without a trace
  const count = data.panels.length, columns = Math.max(1, count <= 3 ? count : Math.ceil(count / 2));
  const rows = Math.ceil(count / columns), gap = 0.07, width = (1 + gap) / columns;
  const layout = {
    paper_bgcolor: color("paper"), plot_bgcolor: color("paper"), font: { color: color("ink"), size: 13 },
    margin: { l: 70, r: 70, t: 30, b: count ? 30 : 50 }, hovermode: "closest", uirevision: "same", annotations: [],
    legend: { orientation: "h", x: 0, y: 1.01, xanchor: "left", yanchor: "bottom", bgcolor: "rgba(0,0,0,0)" },
    hoverlabel: { bgcolor: color("paper"), bordercolor: grid, font: { color: color("ink") }, namelength: -1 },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: quiet, activecolor: color("ink") },
    xaxis: axis({ title: { text: data.x, standoff: 6 }, anchor: "y", automargin: false }),
    yaxis: axis({ title: { text: `loss, nats per ${data.unit}` }, range: data.range,
      domain: [[0, 0.36, 0.52][rows], 1] }),
  };
  if (data.unit === "token") layout.yaxis99 = axis({ title: { text: "perplexity" }, overlaying: "y", side: "right",
    matches: "y", tickvals: data.ticks.map(Math.log), ticktext: data.ticks.map((tick) => tick.toLocaleString("en")),
    showgrid: false });
  data.panels.forEach((panel, p) => {
    const column = p % columns, row = rows - 1 - Math.floor(p / columns), bottom = row * 0.25;
    const domain = [column * width, (column + 1) * width - gap], top = bottom + (rows > 1 ? 0.15 : 0.2);
    layout[`xaxis${p + 2}`] = axis({ domain, anchor: `y${p + 2}`, matches: "x", nticks: 5, automargin: false });
    layout[`yaxis${p + 2}`] = axis({ domain: [bottom, top], anchor: `x${p + 2}`, rangemode: "tozero", nticks: 4,
      type: panel.logarithmic ? "log" : "linear" });
    layout.annotations.push({ text: panelTitle(panel), x: domain[0], y: top + 0.005, xref: "paper", yref: "paper",
      xanchor: "left", yanchor: "bottom", align: "left", showarrow: false, font: { size: 11 } });
  });
  const traces = [...data.runs.flatMap(runTraces), ...data.panels.flatMap(panelTraces)];
  return Plotly.react(plot, data.unit === "token" ? [...traces, perplexities] : traces, layout, config);
}

draw();
