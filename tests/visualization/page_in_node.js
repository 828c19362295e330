/* Runs the scripts of a page in node, with a stand-in for the browser and for plotly that records what is drawn.
   Usage: node page_in_node.js page.js map.js < {"data": ..., "steps": [...]}; prints what each step led to. */
"use strict";
const fs = require("node:fs");
const vm = require("node:vm");

const { data, steps } = JSON.parse(fs.readFileSync(0, "utf8"));
const elements = {};
const recorded = { react: [], restyle: [], relayout: [] };

function element(id) {
  const listeners = {};
  return {
    id, value: "", textContent: "", dataset: {}, children: [], listeners,
    addEventListener: (type, listener) => { listeners[type] = listener; },
    replaceChildren(...children) { this.children = children; },
    getContext: (kind) => (kind === "2d" ? { measureText: (text) => ({ width: 7 * text.length }) } : null),
  };
}

const document = {
  ...element("document"),
  documentElement: element("root"),
  createElement: element,
  getElementById: (id) => (elements[id] ??= element(id)),
};
document.getElementById("data").textContent = JSON.stringify(data);
const plot = document.getElementById("plot");
plot.events = {};
plot.on = (name, listener) => { plot.events[name] = listener; };

const scale = (range, length, turned) => ({
  range, _length: length,
  l2p: (value) => ((turned ? range[1] - value : value - range[0]) / (range[1] - range[0])) * length,
});
const Plotly = {
  Plots: { resize() {} },
  react(_, traces, layout, config) {
    recorded.react.push({ traces, layout, config });
    plot.data = traces;
    plot._fullLayout = {
      xaxis: scale(layout.xaxis.range ?? [0, 1], 800), yaxis: scale(layout.yaxis.range ?? [0, 1], 600, true),
    };
    return Promise.resolve();
  },
  restyle(_, change, traces) { recorded.restyle.push({ change, traces }); return Promise.resolve(); },
  relayout(_, change) {
    recorded.relayout.push(change);
    plot._fullLayout.xaxis = scale(change["xaxis.range"], 800);
    plot._fullLayout.yaxis = scale(change["yaxis.range"], 600, true);
    return Promise.resolve(plot.events.plotly_relayout?.());
  },
};

const window = {};
window.top = window;
const browser = vm.createContext({
  document, Plotly, window, console,
  matchMedia: () => ({ matches: false }),
  getComputedStyle: () => ({ getPropertyValue: (name) => ` ${name}` }),
  ResizeObserver: class { observe() {} },
});
vm.runInContext(process.argv.slice(2).map((name) => fs.readFileSync(name, "utf8")).join(""), browser);

const settled = () => new Promise((done) => setTimeout(done, 5));
const actions = {
  search: (text) => {
    document.getElementById("word").value = text;
    document.getElementById("search").listeners.submit({ preventDefault() {} });
  },
  type: (text) => {
    document.getElementById("word").value = text;
    document.getElementById("word").listeners.input({ inputType: "insertText" });
  },
  click: (point) => plot.events.plotly_click({ points: [{ pointIndex: point }] }),
  key: (key) => document.listeners.keydown({ key }),
  theme: () => document.getElementById("theme").listeners.click(),
  show: (view) => Plotly.relayout(plot, { "xaxis.range": view[0], "yaxis.range": view[1] }),
  evaluate: () => {},
};

(async () => {
  await settled();
  const results = [];
  for (const [action, argument] of [["evaluate", "null"], ...steps]) {
    actions[action](argument);
    await settled();
    results.push({
      value: action === "evaluate" ? vm.runInContext(argument, browser) : null,
      message: document.getElementById("message").textContent,
      matches: document.getElementById("matches").children.map((option) => option.value),
      theme: document.documentElement.dataset.theme,
      drawn: recorded.react.at(-1), times: recorded.react.length,
      labels: recorded.restyle.at(-1)?.change,
      view: plot._fullLayout.xaxis.range && [plot._fullLayout.xaxis.range, plot._fullLayout.yaxis.range],
    });
  }
  process.stdout.write(JSON.stringify(results));
})();
