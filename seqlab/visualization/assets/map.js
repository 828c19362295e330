const count = data.words.length;
const index = new Map(data.words.map((word, i) => [word, i]));
const fold = (word) => word.toLowerCase().normalize("NFC");
const folded = data.words.map(fold);
const webgl = Boolean(document.createElement("canvas").getContext("webgl"));
const pen = document.createElement("canvas").getContext("2d");
const message = document.getElementById("message");
const entry = document.getElementById("word");
entry.placeholder = entry.ariaLabel = `Find a ${data.noun}`;
let chosen = data.highlighted, near = data.related;

const hover = data.words.map((word, i) => {
  const times = data.counts ? `, ${data.counts[i].toLocaleString("en")} times` : "";
  const rank = `rank ${data.rank[i].toLocaleString("en")}${times}`;
  const others = data.neighbors[i].map(([other, score]) => `${score.toFixed(2)}  ${escapeText(other)}`);
  return [`<b>${escapeText(word)}</b>`, rank, ...others].join("<br>");
});

function span(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) { low = Math.min(low, value); high = Math.max(high, value); }
  return [low, high];
}

const whole = [span(data.x), span(data.y)].map(([low, high]) => {
  const edge = 0.04 * (high - low) || 1;
  return [low - edge, high + edge];
});

/* A page of cells, 4 pixels wide and high: a box is free if no cell it touches is taken. */
function makeGrid(width, height) {
  const cell = 4, columns = Math.ceil(width / cell), rows = Math.ceil(height / cell);
  const taken = new Uint8Array(columns * rows);
  const edges = (x, y, wide, tall) => [x, y, x + wide, y + tall].map((edge) => Math.floor(edge / cell));
  return {
    free(...box) {
      const [left, top, right, bottom] = edges(...box);
      if (left < 0 || top < 0 || right >= columns || bottom >= rows) return false;
      for (let r = top; r <= bottom; r++)
        if (taken.subarray(r * columns + left, r * columns + right + 1).includes(1)) return false;
      return true;
    },
    take(...box) {
      const [left, top, right, bottom] = edges(...box);
      for (let r = Math.max(top, 0); r <= Math.min(bottom, rows - 1); r++)
        taken.fill(1, r * columns + Math.max(left, 0), r * columns + Math.min(right, columns - 1) + 1);
    },
  };
}

/* Which words can be labelled in this view, and on which side: the chosen first, then by rank. */
function freeLabels() {
  const { xaxis, yaxis } = plot._fullLayout;
  const grid = makeGrid(xaxis._length, yaxis._length);
  const height = 16, labels = [];
  pen.font = "12px system-ui, sans-serif";
  for (const i of new Set([...chosen, ...near, ...data.words.keys()])) {
    if (labels.length >= 500) break;
    const x = xaxis.l2p(data.x[i]), y = yaxis.l2p(data.y[i]);
    if (!grid.free(x, y, 0, 0)) continue;
    const strong = chosen.includes(i), gap = strong ? 10 : 6;
    const width = pen.measureText(data.words[i]).width * (strong ? 1.4 : 1) + 2;
    const places = [
      ["middle right", x + gap, y - height / 2], ["middle left", x - gap - width, y - height / 2],
      ["top center", x - width / 2, y - height - gap / 2], ["bottom center", x - width / 2, y + gap / 2],
    ];
    const found = places.find(([, left, top]) => grid.free(left, top, width, height));
    if (!found) continue;
    grid.take(found[1], found[2], width, height);
    grid.take(x - 3, y - 3, 6, 6);
    labels.push([i, found[0]]);
  }
  return labels;
}

function showLabels() {
  const labels = freeLabels(), first = new Set([...chosen, ...near]);
  const each = (value) => [labels.map(([i, place]) => value(i, place))];
  const text = (i) => escapeText(data.words[i]);
  return Plotly.restyle(plot, {
    x: each((i) => data.x[i]),
    y: each((i) => data.y[i]),
    text: each((i) => chosen.includes(i) ? `<b>${text(i)}</b>` : text(i)),
    textposition: each((i, place) => place),
    "textfont.color": each((i) => color(first.size && !first.has(i) ? "quiet" : "ink")),
    "textfont.size": each((i) => chosen.includes(i) ? 15 : 12),
    "marker.size": each((i) => chosen.includes(i) ? 16 : 8),
  }, [2]);
}

function draw() {
  const axis = { visible: false, showgrid: false, zeroline: false };
  const now = plot._fullLayout;
  const view = now ? [now.xaxis.range, now.yaxis.range] : whole;
  const marked = [...chosen, ...near];
  const ring = (strong, weak) => marked.map((_, k) => k < chosen.length ? strong : weak);
  const dots = { size: count > 3000 ? 4 : count > 800 ? 5 : 6, color: data.color,
    opacity: marked.length ? 0.4 : 0.75, line: { width: 0 } };
  const rings = { size: ring(14, 9), color: "rgba(0,0,0,0)",
    line: { color: color("ink"), width: ring(2, 1) } };
  const traces = [
    { type: webgl ? "scattergl" : "scatter", mode: "markers", x: data.x, y: data.y, marker: dots,
      hoverinfo: "text", hovertext: hover },
    { type: "scatter", mode: "markers", x: marked.map((i) => data.x[i]), y: marked.map((i) => data.y[i]),
      marker: rings, hoverinfo: "skip" },
    { type: "scatter", mode: "markers+text", x: [], y: [], text: [], marker: { size: 8, opacity: 0 },
      textfont: { family: "system-ui, sans-serif" }, hoverinfo: "skip" },
  ];
  const legend = data.legend.map(([name, shade]) => ({ type: "scatter", mode: "markers", x: [null], y: [null],
    name: escapeText(name), marker: { size: 9, color: shade }, showlegend: true, hoverinfo: "skip" }));
  traces.forEach((trace) => { trace.showlegend = false; });
  const layout = {
    showlegend: legend.length > 0, legend: { x: 1, xanchor: "right", y: 0, itemclick: false, itemdoubleclick: false,
      bgcolor: color("paper") }, dragmode: "pan", hovermode: "closest", margin: { l: 0, r: 0, t: 0, b: 0 },
    paper_bgcolor: color("paper"), plot_bgcolor: color("paper"), font: { color: color("ink"), size: 13 },
    hoverlabel: { align: "left", bgcolor: color("paper"), bordercolor: color("line"),
      font: { color: color("ink") } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: color("quiet"), activecolor: color("ink") },
    xaxis: { ...axis, range: view[0] }, yaxis: { ...axis, range: view[1], scaleanchor: "x" },
  };
  return Plotly.react(plot, [...traces, ...legend], layout, config).then(showLabels);
}

const show = (view) => Plotly.relayout(plot, { "xaxis.range": view[0], "yaxis.range": view[1] });

/* Choose words by their places; `move` brings them and their neighbours into view. */
function select(places, move) {
  chosen = places;
  const around = places.flatMap((i) => data.neighbors[i].map(([word]) => index.get(word)));
  near = [...new Set(around)].filter((i) => i !== undefined && !places.includes(i));
  const one = places.length === 1 ? data.neighbors[places[0]].map(([word]) => word) : [];
  message.textContent = one.length ? `near: ${one.join(", ")}` : "";
  return draw().then(() => move && show([data.x, data.y].map((values, axis) => {
    const [low, high] = span([...chosen, ...near].map((i) => values[i]));
    const half = Math.max((high - low) * 0.6, (whole[axis][1] - whole[axis][0]) * 0.1);
    return [(low + high) / 2 - half, (low + high) / 2 + half];
  })));
}

function find() {
  const text = entry.value.trim(), small = fold(text);
  if (!text) return;
  let i = index.get(text) ?? folded.indexOf(small);
  if (i < 0) i = folded.findIndex((word) => word.startsWith(small));
  if (i < 0) message.textContent = `"${text}" is not on this map`;
  else select([i], true);
}

entry.addEventListener("input", (event) => {
  const small = fold(entry.value.trim());
  const options = [];
  for (let i = 0; small && i < count && options.length < 20; i++) {
    if (!folded[i].startsWith(small)) continue;
    const option = document.createElement("option");
    option.value = data.words[i];
    options.push(option);
  }
  document.getElementById("matches").replaceChildren(...options);
  const typed = /^(insertText|insertComposition|delete)/.test(event.inputType || "");
  if (!typed && index.has(entry.value)) find();
});
document.getElementById("search").addEventListener("submit", (event) => { event.preventDefault(); find(); });
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  entry.value = "";
  select([], false).then(() => show(whole));
});

draw().then(() => {
  plot.on("plotly_relayout", showLabels);
  plot.on("plotly_click", (event) => select([event.points[0].pointIndex], false));
});
