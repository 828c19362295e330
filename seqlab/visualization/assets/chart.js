/* The traces of one panel, with the axes numbered p + 1. */
function chartTraces(panel, p) {
  const number = p ? String(p + 1) : "";
  return panel.series.map((one) => ({
    type: "scatter", x: one.x, y: one.y, name: escapeText(one.name), showlegend: one.name !== "",
    mode: one.labels.length ? "markers+text" : one.kind === "points" ? "markers" : "lines", opacity: one.kind === "faint" ? 0.35 : 1,
    line: { color: one.color, width: one.kind === "faint" ? 1 : 2 }, marker: { color: one.color, size: 8 },
    text: one.labels.map(escapeText), textposition: "top center", textfont: { size: 10, color: color("quiet") },
    hoverinfo: one.labels.length ? "x+y+text" : "x+y+name", xaxis: `x${number}`, yaxis: `y${number}`, legendgroup: escapeText(one.name),
  }));
}

/* Vertical lines and their names. */
function chartMarks(panel, p) {
  const number = p ? String(p + 1) : "";
  const place = (x) => panel.logarithmic ? Math.log10(x) : x;
  const lines = panel.marks.map(([x]) => ({ type: "line", xref: `x${number}`, yref: `y${number} domain`, x0: x, x1: x,
    y0: 0, y1: 1, line: { color: color("quiet"), width: 1, dash: "dash" } }));
  const names = panel.marks.map(([x, name], row) => ({ text: escapeText(name), x: place(x), y: 1 - 0.06 * row,
    xref: `x${number}`, yref: `y${number} domain`, xanchor: "left", yanchor: "top", showarrow: false,
    font: { size: 11 } }));
  return { lines, names };
}

function draw() {
  const grid = color("line"), quiet = color("quiet"), columns = data.columns;
  const rows = Math.ceil(data.panels.length / columns), gap = 0.09;
  const layout = {
    paper_bgcolor: color("paper"), plot_bgcolor: color("paper"), font: { color: color("ink"), size: 13 },
    margin: { l: 70, r: 30, t: 50, b: 60 }, hovermode: "closest", uirevision: "same", shapes: [], annotations: [],
    legend: { orientation: "h", x: 0, y: 1.08, xanchor: "left", yanchor: "bottom", bgcolor: "rgba(0,0,0,0)" },
    hoverlabel: { bgcolor: color("paper"), bordercolor: grid, font: { color: color("ink") }, namelength: -1 },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: quiet, activecolor: color("ink") },
  };
  const axis = (title, more) => ({ gridcolor: grid, zeroline: false, tickfont: { color: quiet }, automargin: true,
    title: { text: escapeText(title), standoff: 6 }, ...more });
  data.panels.forEach((panel, p) => {
    const number = p ? String(p + 1) : "", column = p % columns, row = rows - 1 - Math.floor(p / columns);
    const width = (1 + gap) / columns, height = (1 + 2 * gap) / rows;
    const across = [column * width, (column + 1) * width - gap], up = [row * height, (row + 1) * height - 2 * gap];
    const named = panel.names.length ? { tickvals: panel.names.map((_, i) => i), ticktext: panel.names.map(escapeText) }
      : {};
    layout[`xaxis${number}`] = axis(panel.x, { domain: across, anchor: `y${number}`, ...named,
      type: panel.logarithmic ? "log" : "linear" });
    layout[`yaxis${number}`] = axis(panel.y, { domain: up, anchor: `x${number}`,
      ...(panel.span ? { range: panel.span } : {}) });
    layout.annotations.push({ text: escapeText(panel.title), x: across[0], y: up[1], xref: "paper", yref: "paper",
      xanchor: "left", yanchor: "bottom", showarrow: false, font: { size: 12 } });
    const { lines, names } = chartMarks(panel, p);
    layout.shapes.push(...lines);
    layout.annotations.push(...names);
  });
  return Plotly.react(plot, data.panels.flatMap(chartTraces), layout, config);
}

draw();
