"use strict";
const figures = JSON.parse(document.getElementById("figures").textContent);
const form = document.querySelector("form");
const plots = [...document.querySelectorAll(".plot")];
const narrow = matchMedia("(max-width: 600px)").matches;

// What is ticked, by what it filters. A trace is seen where all that it belongs to is.
const ticked = () => {
  const chosen = {};
  for (const box of form ? form.querySelectorAll("input") : []) {
    (chosen[box.name] ??= new Set()).add(box.checked ? box.value : null);
  }
  return chosen;
};
const visible = (trace, chosen) => ["strategy", "gpu"].every((key) => !trace.meta[key] || !chosen[key] || chosen[key].has(trace.meta[key]));

const height = (figure, data) =>
  figure.row ? 60 + figure.row * Math.max(data.filter((trace) => trace.visible).length, 1) : figure.layout.height;

const draw = () => {
  const chosen = ticked();
  for (const plot of plots) {
    const figure = figures[plot.dataset.figure];
    const data = figure.data.map((trace) => ({ ...trace, visible: visible(trace, chosen) }));
    plot.hidden = !data.some((trace) => trace.visible);
    const margin = { ...figure.layout.margin, ...(narrow ? { l: 8, r: 4 } : {}) };
    const layout = { ...figure.layout, margin, height: height(figure, data), dragmode: narrow ? false : "zoom" };
    Plotly.react(plot, data, layout, { responsive: true, displayModeBar: false });
  }
  for (const row of document.querySelectorAll("tr[data-strategy]")) {
    row.hidden = chosen.strategy ? !chosen.strategy.has(row.dataset.strategy) : false;
  }
};
form?.addEventListener("change", draw);
form?.addEventListener("submit", (event) => event.preventDefault());
draw();
document.documentElement.dataset.drawn = "yes";
