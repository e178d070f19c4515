// A map of points, redrawn in place. What a person did to it is kept here by point number and legend entry, not by trace:
// after a recolouring the traces are others.

const NARROW = 560; // pixels below which panels lie under each other
const FLAT = ["zoom2d", "pan2d", "lasso2d", "select2d", "resetScale2d", "toImage"];
const DEEP = ["zoom3d", "pan3d", "orbitRotation", "resetCameraDefault3d", "toImage"];
const CARD = 84; // pixels of the picture's longer side

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".cdp-map") ?? build(parentElement);
  root.querySelector(".alt").setAttribute("aria-label", data.alt);
  root.given = data;
  root.tell = setStateValue;
  ready().then((plotly) => {
    if (root.given === data) draw(plotly, root); // else a later one overtook this
  });
  return () => {
    root.watch?.disconnect();
    window.Plotly?.purge(root.plot); // a page has few WebGL contexts
  };
}

function build(parent) {
  const root = document.createElement("div");
  root.className = "cdp-map";
  // The plot itself is no image to a screen reader, or its buttons would not be there.
  root.innerHTML = '<span class="alt" role="img"></span><div class="plot"></div><div class="card" aria-hidden="true" hidden><canvas></canvas><div></div></div>';
  parent.appendChild(root);
  root.plot = root.querySelector(".plot");
  root.card = root.querySelector(".card");
  root.hiddenEntries = new Set();
  root.addEventListener("pointermove", (event) => (root.pointer = event));
  for (const over of ["pointerdown", "pointerleave"]) root.addEventListener(over, () => (root.card.hidden = true));
  return root;
}

function draw(plotly, root) {
  const data = root.given;
  const figure = JSON.parse(data.figure);
  if (root.of !== data.of) {
    root.of = data.of;
    root.hiddenEntries.clear();
    root.selected = null;
    root.zoom = null;
  }
  for (const trace of figure.data) {
    trace.customdata = numbers(trace.customdata, Int32Array);
    if (root.hiddenEntries.has(trace.legendgroup)) trace.visible = "legendonly";
    if (root.selected) trace.selectedpoints = indices(trace.customdata, root.selected);
    if (trace.type === "scattergl" && !webgl()) trace.type = "scatter";
  }
  for (const label of figure.layout.annotations ?? []) label.visible = !root.hiddenEntries.has(label.name);
  for (const name of Object.keys(figure.layout)) {
    const letter = name.match(/^([xy])axis/)?.[1];
    if (letter && root.zoom) figure.layout[name].range = [...root.zoom[letter]];
  }
  root.narrow = root.clientWidth < NARROW;
  if (root.narrow) rearrange(figure.layout);
  root.plot.style.minHeight = `${figure.layout.height}px`;
  const deep = figure.data.some((trace) => trace.type === "scatter3d");
  plotly.react(root.plot, figure.data, figure.layout, {
    displayModeBar: true, displaylogo: false, responsive: true, modeBarButtons: [deep ? DEEP : FLAT],
    toImageButtonOptions: { filename: "map", scale: 2 },
  });
  if (!root.watch) listen(plotly, root);
}

function listen(plotly, root) {
  root.watch = new ResizeObserver(() => {
    if (root.clientWidth && root.clientWidth < NARROW !== root.narrow) draw(plotly, root);
  });
  root.watch.observe(root);
  root.plot.on("plotly_relayout", (change) => {
    const { xaxis, yaxis } = root.plot._fullLayout;
    const names = Object.keys(change);
    // As it was asked for: what a redraw makes of it at another width, for equal scale, is always wider.
    if (names.some((name) => name.endsWith(".autorange"))) root.zoom = null;
    else if (names.some((name) => /^[xy]axis\d*\.range/.test(name))) root.zoom = { x: [...xaxis.range], y: [...yaxis.range] };
  });
  root.plot.on("plotly_restyle", () => {
    for (const { legendgroup, visible } of root.plot.data) {
      if (legendgroup) root.hiddenEntries[visible === "legendonly" ? "add" : "delete"](legendgroup);
    }
    const labels = (root.plot.layout.annotations ?? []).map((label) => ({ ...label, visible: !root.hiddenEntries.has(label.name) }));
    if (labels.some(({ visible }, at) => visible !== (root.plot.layout.annotations[at].visible ?? true))) plotly.relayout(root.plot, { annotations: labels });
  });
  root.plot.on("plotly_selected", (event) => {
    if (event) select(plotly, root, event.points.filter(drawn).map((point) => point.customdata));
  });
  root.plot.on("plotly_deselect", () => select(plotly, root, []));
  root.plot.on("plotly_click", (event) => {
    const point = event.points.find(drawn);
    if (point) root.tell("picked", { of: root.of, point: point.customdata });
  });
  root.plot.on("plotly_hover", (event) => showCard(root, event.points.find(drawn)));
  root.plot.on("plotly_unhover", () => (root.card.hidden = true));
}

// Points that a filter leaves out are background: they belong to no legend entry.
const drawn = (point) => Boolean(point.data.legendgroup) && Number.isInteger(point.customdata);

function select(plotly, root, points) {
  const before = root.selected;
  root.selected = points.length ? new Set(points) : null;
  if (root.selected || before) root.tell("selected", root.selected && { of: root.of, points });
  // Plotly marks the panel of the lasso only; the others follow when it is done.
  requestAnimationFrame(() => {
    const stale = root.plot.data
      .map((trace, index) => ({ index, is: trace.selectedpoints, wanted: root.selected && trace.customdata.length ? indices(trace.customdata, root.selected) : null }))
      .filter(({ is, wanted }) => is?.length !== wanted?.length);
    if (stale.length) plotly.restyle(root.plot, { selectedpoints: stale.map((s) => s.wanted) }, stale.map((s) => s.index));
  });
}

function indices(customdata, selected) {
  const found = [];
  customdata.forEach((point, index) => selected.has(point) && found.push(index));
  return found;
}

function rearrange(layout) {
  for (const [path, value] of Object.entries(layout.meta.narrow)) {
    const names = path.split(".");
    const last = names.pop();
    names.reduce((at, name) => at[name], layout)[last] = value;
  }
}

function showCard(root, point) {
  root.card.hidden = !point;
  if (!point) return;
  const pictured = paint(root.card.querySelector("canvas"), window.cdpThumbs?.get(root.given.thumbs), point.customdata);
  const lines = linesOf(root, point.customdata);
  root.card.querySelector("canvas").hidden = !pictured;
  root.card.hidden = !pictured && !lines.length;
  root.card.querySelector("div").replaceChildren(
    ...lines.map((text) => Object.assign(document.createElement("p"), { textContent: text })),
  );
  place(root);
}

// Beside the pointer, on the side where there is room.
function place({ card, pointer, clientWidth, clientHeight, plot }) {
  if (!pointer) return;
  const box = plot.getBoundingClientRect();
  const [x, y] = [pointer.clientX - box.left, pointer.clientY - box.top];
  const left = x + 16 + card.offsetWidth > clientWidth ? x - 16 - card.offsetWidth : x + 16;
  card.style.left = `${Math.max(0, left)}px`;
  card.style.top = `${Math.max(0, Math.min(y - card.offsetHeight / 2, clientHeight - card.offsetHeight))}px`;
}

function paint(canvas, thumbs, point) {
  if (!thumbs || point >= thumbs.shape[0]) return false;
  const [, height, width, channels] = thumbs.shape;
  const size = height * width * channels;
  const from = thumbs.pixels.subarray(point * size, (point + 1) * size);
  const image = new ImageData(width, height);
  for (let k = 0; k < height * width; k++) {
    for (let c = 0; c < 3; c++) image.data[4 * k + c] = from[k * channels + (channels === 3 ? c : 0)];
    image.data[4 * k + 3] = 255;
  }
  Object.assign(canvas, { width, height });
  canvas.style.width = `${(CARD * width) / Math.max(width, height)}px`;
  canvas.style.height = `${(CARD * height) / Math.max(width, height)}px`;
  canvas.getContext("2d").putImageData(image, 0, 0);
  return true;
}

function linesOf(root, point) {
  const card = root.given.card;
  if (!card) return [];
  if (root.columns?.card !== card) {
    const whole = (packed) => numbers({ bdata: packed }, Int32Array);
    const scores = card.scores.map(([title, packed]) => [title, numbers({ bdata: packed }, Float32Array)]);
    root.columns = { card, label: whole(card.label), which: whole(card.which), row: whole(card.row), scores };
  }
  const { label, which, row, scores } = root.columns;
  const said = scores.map(([title, values]) => `${title}: ${Number.isNaN(values[point]) ? "no value" : Number(values[point].toPrecision(3))}`);
  return [card.classes[label[point]] ?? (label[point] < 0 ? "no label" : `class ${label[point]}`), `${card.sets[which[point]]}, row ${row[point]}`, ...said];
}

// Little-endian base64, as plotly packs arrays too.
function numbers(array, Type) {
  if (!array?.bdata) return Type.from(array ?? []);
  return new Type(Uint8Array.from(atob(array.bdata), (letter) => letter.charCodeAt(0)).buffer);
}

let hasWebgl;
function webgl() {
  hasWebgl ??= Boolean(document.createElement("canvas").getContext("webgl"));
  return hasWebgl;
}

function ready() {
  if (!window.plotlyReady) {
    let resolve;
    window.plotlyReady = new Promise((done) => (resolve = done));
    window.plotlyReady.resolve = resolve;
  }
  return window.plotlyReady;
}
