"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const plot = document.getElementById("plot");
const root = document.documentElement;
const color = (name) => getComputedStyle(root).getPropertyValue("--" + name).trim();
const escapeText = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
/* The buttons are named one by one: among plotly's own is one that uploads the picture's data. In a notebook the wheel
   scrolls the notebook; in a page of its own it zooms. */
const config = {
  modeBarButtons: [["toImage"], ["zoom2d", "pan2d"], ["zoomIn2d", "zoomOut2d", "resetScale2d"]],
  plotlyServerURL: "", scrollZoom: window === window.top, displaylogo: false, doubleClick: "reset", typesetMath: false,
};
root.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
document.getElementById("theme").addEventListener("click", () => {
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  draw();
});
new ResizeObserver(() => { if (plot.data) Plotly.Plots.resize(plot); }).observe(plot);
