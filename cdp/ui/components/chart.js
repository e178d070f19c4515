// Redraws a figure in place; zoom and hidden traces stay as long as the figure's uirevision does.

export default function ({ data, parentElement }) {
  let root = parentElement.querySelector(".cdp-chart");
  if (!root) {
    root = document.createElement("div");
    root.className = "cdp-chart";
    root.setAttribute("role", "img");
    parentElement.appendChild(root);
  }
  root.style.minHeight = `${data.figure.layout.height ?? 300}px`;
  root.setAttribute("aria-label", data.alt);
  root.figure = data.figure;
  ready().then((plotly) => {
    if (root.figure !== data.figure) return; // a later step overtook this one
    plotly.react(root, data.figure.data, data.figure.layout, { displayModeBar: false, responsive: true });
  });
}

function ready() {
  if (!window.plotlyReady) {
    let resolve;
    window.plotlyReady = new Promise((done) => (resolve = done));
    window.plotlyReady.resolve = resolve;
  }
  return window.plotlyReady;
}
