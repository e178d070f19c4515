// Draws the figures of a report from the JSON beside them; makes room for legends; opens tables and fits the paper when it is printed.
"use strict";
const PRINTED = 640; // pixels that fit a page of paper
const drawn = [...document.querySelectorAll(".plot")].map((root) => {
  const figure = JSON.parse(document.getElementById(root.dataset.figure).textContent);
  root.style.minWidth = `${figure.layout.meta?.least_px ?? 0}px`;
  return { root, figure, legend: 0, width: undefined };
});

function draw(one) {
  const { data, layout } = one.figure;
  const roomy = { ...layout, height: layout.height + one.legend, margin: { ...layout.margin, t: layout.margin.t + one.legend } };
  if (one.width) roomy.width = one.width;
  else roomy.autosize = true;
  return Plotly.react(one.root, data, roomy, { displayModeBar: false, responsive: true, scrollZoom: false });
}

// A legend above the title takes as many lines as the width leaves it; the figure grows by them.
function fit(one) {
  if (one.figure.layout.meta?.legend !== "above" || !one.root._fullLayout.showlegend) return;
  const { legend } = one.root._fullLayout;
  const wanted = Math.ceil(legend?._effHeight ?? legend?._height ?? 0);
  if (Math.abs(wanted - one.legend) < 2) return;
  one.legend = wanted;
  draw(one);
}

for (const one of drawn) {
  if (matchMedia("(pointer: coarse)").matches) one.figure.layout.dragmode = false; // a finger scrolls the page
  draw(one).then(() => {
    one.root.on("plotly_afterplot", () => fit(one));
    fit(one);
  });
}

const closed = new Set();
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details:not([open]):not(.long)")) {
    part.open = true;
    closed.add(part);
  }
  for (const one of drawn) {
    one.width = PRINTED;
    draw(one);
  }
});
addEventListener("afterprint", () => {
  for (const part of closed) part.open = false;
  closed.clear();
  for (const one of drawn) {
    one.width = undefined;
    draw(one);
  }
});
