// Redraws a figure in place. Zoom and hidden traces stay as long as the figure's uirevision does; what is under the pointer stays
// told; nothing is redrawn under a hand that is dragging.

const CLICKS = 400; // milliseconds in which a second click makes a double one
const TOUCH = window.matchMedia("(pointer: coarse)").matches;

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".cdp-chart") ?? build(parentElement);
  const given = unpack(data);
  if (root.given?.stamp === given.stamp) return; // a poll without news
  root.given = given;
  root.style.minHeight = `${given.figure.layout.height ?? 300}px`;
  root.setAttribute("aria-label", given.alt);
  redraw(root);
}

function build(parent) {
  const root = document.createElement("div");
  root.className = "cdp-chart";
  root.setAttribute("role", "img");
  parent.appendChild(root);
  root.legendPx = 0;
  root.addEventListener("pointermove", ({ clientX, clientY }) => (root.pointer = { clientX, clientY }));
  root.addEventListener("pointerleave", () => (root.pointer = null));
  root.addEventListener("pointerdown", () => {
    root.held = true;
    const free = () => {
      for (const over of ["pointerup", "pointercancel"]) window.removeEventListener(over, free, true);
      clearTimeout(root.freeing);
      root.freeing = setTimeout(() => {
        root.held = false;
        if (root.late) redraw(root);
      }, CLICKS);
    };
    clearTimeout(root.freeing);
    for (const over of ["pointerup", "pointercancel"]) window.addEventListener(over, free, true);
  }, true);
  return root;
}

function redraw(root) {
  root.late = root.held;
  if (root.held) return;
  const given = root.given;
  ready().then(async (plotly) => {
    if (root.given !== given) return; // a later one overtook this
    const { data, layout, frames } = given.figure;
    if (TOUCH) layout.dragmode ??= false; // a finger scrolls the page
    if (root.animated) await plotly.animate(root, [null], { mode: "immediate" }); // what still plays belongs to the figure before
    root.animated = Boolean(frames?.length);
    const config = { displayModeBar: false, responsive: true };
    await plotly.react(root, { data, layout: roomy(layout, root), config, ...(root.animated && { frames }) });
    if (!root.listening) listen(root);
    fit(root);
    hover(plotly, root);
    offer(plotly, root);
  });
}

function listen(root) {
  root.listening = true;
  root.on("plotly_afterplot", () => fit(root)); // also after a change of width
}

// A legend above the first title takes as many lines as the width leaves it; the figure grows by them, so panels keep their height.
function fit(root) {
  if (root.given.figure.layout.meta?.legend !== "above") return;
  const { legend } = root._fullLayout;
  const wanted = root._fullLayout.showlegend && legend ? Math.ceil(legend._effHeight ?? legend._height ?? 0) : 0;
  if (Math.abs(wanted - root.legendPx) < 2) return;
  root.legendPx = wanted;
  redraw(root);
}

function roomy(layout, root) {
  const px = root.legendPx;
  return px ? { ...layout, height: layout.height + px, margin: { ...layout.margin, t: layout.margin.t + px } } : layout;
}

// Where layout.meta.png names a file, a button below the figure saves the picture under that name, without the controls in it.
function offer(plotly, root) {
  root.saver ??= saver(plotly, root);
  root.saver.hidden = !root.given.figure.layout.meta?.png;
}

function saver(plotly, root) {
  const button = document.createElement("button");
  button.className = "cdp-chart-png";
  button.textContent = "Download PNG";
  button.addEventListener("click", () => {
    const width = root.clientWidth;
    const lines = broken(root.layout.meta.finding ?? "", width / 9);
    const above = 22 * lines.length;
    const { margin } = root.layout;
    const title = { text: lines.join("<br>"), font: { size: 16 }, x: 0, xanchor: "left", xref: "container", y: 1, yanchor: "top", yref: "container", pad: { t: 4, l: 8 } };
    const bare = { ...root.layout, updatemenus: [], sliders: [], title, margin: { ...margin, t: margin.t + above } };
    const size = { width, height: root._fullLayout.height + above };
    plotly.downloadImage({ data: root.data, layout: bare }, { format: "png", filename: root.layout.meta.png, scale: 2, ...size });
  });
  root.after(button);
  return button;
}

// A sentence in lines of so many letters, without plotly's markup.
function broken(text, letters) {
  const lines = [];
  for (const word of text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").split(" ").filter(Boolean)) {
    if (lines.length && `${lines.at(-1)} ${word}`.length <= letters) lines.push(`${lines.pop()} ${word}`);
    else lines.push(word);
  }
  return lines;
}

// Plotly forgets what it told of the point under a resting pointer when it redraws.
function hover(plotly, root) {
  if (!root.pointer) return;
  const { clientX, clientY } = root.pointer;
  const target = document.elementFromPoint(clientX, clientY);
  if (target?.matches(".nsewdrag") && root.contains(target)) {
    plotly.Fx.hover(root, { clientX, clientY, target }, target.dataset.subplot);
  }
}

// The counterpart of cdp/ui/components/packing.py.
function unpack(bytes) {
  const own = bytes.slice(); // typed arrays have to begin at a multiple of their size
  const length = new DataView(own.buffer).getUint32(0, true);
  const given = JSON.parse(new TextDecoder().decode(own.subarray(4, 4 + length)));
  const columns = given.columns.map(([type, first, n, k]) => {
    const Numbers = type === "f8" ? Float64Array : Float32Array;
    const flat = new Numbers(own.buffer, 4 + length + first, n * (k || 1));
    return k ? Array.from({ length: n }, (_, row) => flat.subarray(row * k, (row + 1) * k)) : flat;
  });
  for (const trace of given.figure.data) {
    for (const name of Object.keys(trace)) {
      if (Number.isInteger(trace[name]?.column)) trace[name] = columns[trace[name].column];
    }
  }
  return given;
}

function ready() {
  if (!window.plotlyReady) {
    let resolve;
    window.plotlyReady = new Promise((done) => (resolve = done));
    window.plotlyReady.resolve = resolve;
  }
  return window.plotlyReady;
}
