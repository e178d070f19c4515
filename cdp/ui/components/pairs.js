// Image grids drawn on one canvas each, with a button over every cell. The function runs again at every data change and
// patches what is there, so a new step replaces pixels without a flicker and without losing the keyboard focus.

export default function ({ data, parentElement, setStateValue }) {
  let root = parentElement.querySelector(".pairs");
  if (!root) {
    root = document.createElement("div");
    const frame = document.createElement("div");
    frame.className = "frame";
    frame.appendChild(root);
    parentElement.appendChild(frame);
    root.addEventListener("keydown", moveFocus);
    root.addEventListener("keydown", markCell);
    for (const name of ["mouseover", "focusin"]) root.addEventListener(name, closeUp);
    for (const name of ["mouseleave", "focusout"]) root.addEventListener(name, () => (root.card.hidden = true));
    root.card = document.createElement("div");
    root.card.className = "card";
    root.card.hidden = true;
    root.card.innerHTML = "<canvas></canvas><span></span>";
    frame.appendChild(root.card);
  }
  root.markable = data.rows !== undefined;
  if (root.markable && String(root.rows) !== String(data.rows)) {
    root.rows = data.rows;
    root.marks = { ...data.marks };
  }
  root.send = () => setStateValue("marks", { ...root.marks });
  root.className = `pairs ${data.shape}`;
  root.pick = (index) => {
    mark(root, index);
    setStateValue("picked", index);
  };
  while (root.children.length > data.grids.length) root.lastChild.remove();
  data.grids.forEach((grid, g) => drawGrid(root, root.children[g], grid, data));
  mark(root, data.selected);
  showMarks(root);
}

function drawGrid(root, figure, grid, data) {
  if (!figure) {
    figure = document.createElement("figure");
    figure.innerHTML = '<figcaption><i></i><span></span></figcaption><div class="stage"><canvas></canvas><div class="cells"></div></div>';
    root.appendChild(figure);
  }
  figure.querySelector("span").textContent = grid.title;
  figure.querySelector("i").style.borderTop = `3px ${grid.dash === "solid" ? "solid" : "dashed"} ${grid.color}`;
  drawCanvas(figure.querySelector("canvas"), grid.src);
  drawCells(root, figure.querySelector(".cells"), grid.title, data);
}

function drawCanvas(canvas, src) {
  if (canvas.wanted === src) return;
  canvas.wanted = src;
  const image = new Image();
  image.onload = () => {
    if (canvas.wanted !== src) return; // a later step overtook this one
    canvas.width = image.width;
    canvas.height = image.height;
    canvas.getContext("2d").drawImage(image, 0, 0);
  };
  image.src = src;
}

function drawCells(root, cells, title, { labels, columns, interactive }) {
  const signature = JSON.stringify([title, labels, columns, interactive]);
  if (cells.signature === signature) return;
  cells.signature = signature;
  cells.style.gridTemplateColumns = `repeat(${columns}, 1fr)`;
  const rows = Math.ceil(labels.length / columns);
  cells.style.gridTemplateRows = `repeat(${rows}, 1fr)`;
  cells.replaceChildren(
    ...labels.map((label, index) => {
      const cell = document.createElement("button");
      cell.type = "button";
      cell.disabled = !interactive;
      cell.tabIndex = index === 0 ? 0 : -1;
      cell.title = label;
      cell.setAttribute("aria-label", `${title}, ${label}`);
      cell.dataset.index = index;
      cell.onclick = () => root.pick(index);
      return cell;
    }),
  );
  cells.dataset.columns = columns;
}

function mark(root, selected) {
  for (const cell of root.querySelectorAll("button")) {
    const chosen = Number(cell.dataset.index) === selected;
    cell.setAttribute("aria-pressed", chosen);
    if (chosen) moveTabStop(cell);
  }
}

function moveTabStop(cell) {
  for (const other of cell.parentElement.children) other.tabIndex = other === cell ? 0 : -1;
}

function moveFocus(event) {
  const cell = event.target.closest("button");
  if (!cell) return;
  const cells = cell.parentElement;
  const columns = Number(cells.dataset.columns);
  const last = cells.children.length - 1;
  const at = Number(cell.dataset.index);
  const to = {
    ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns, ArrowUp: at - columns, Home: 0, End: last,
  }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  if (to < 0 || to > last) return;
  moveTabStop(cells.children[to]);
  cells.children[to].focus();
}

const KEYS = { k: "keep", d: "drop", u: "" };
const SIGNS = { keep: "\u2713", drop: "\u2715" };

function markCell(event) {
  const root = event.currentTarget;
  const cell = event.target.closest("button");
  const wanted = KEYS[event.key.toLowerCase()];
  if (!root.markable || !cell || wanted === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const row = root.rows[Number(cell.dataset.index)];
  if (wanted && root.marks[row] !== wanted) root.marks[row] = wanted;
  else delete root.marks[row];
  showMarks(root);
  root.send();
}

function showMarks(root) {
  if (!root.markable) return;
  for (const cell of root.querySelectorAll("button")) {
    const mark = root.marks[root.rows[Number(cell.dataset.index)]] ?? "";
    if ((cell.dataset.mark ?? "") === mark) continue;
    cell.dataset.mark = mark;
    cell.textContent = SIGNS[mark] ?? "";
    const said = cell.getAttribute("aria-label").replace(/, marked (keep|drop)$/, "");
    cell.setAttribute("aria-label", mark ? `${said}, marked ${mark}` : said);
  }
}

// The image under the pointer or the focus, enlarged, with what there is to say of it.
function closeUp(event) {
  const root = event.currentTarget;
  const cell = event.target.closest?.("button");
  if (!root.markable || !cell) return;
  const source = cell.closest(".stage").querySelector("canvas");
  const columns = Number(cell.parentElement.dataset.columns);
  const rows = Math.ceil(cell.parentElement.children.length / columns);
  const [width, height] = [source.width / columns, source.height / rows];
  const index = Number(cell.dataset.index);
  const canvas = root.card.querySelector("canvas");
  [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d").drawImage(source, (index % columns) * width, Math.floor(index / columns) * height, width, height, 0, 0, width, height);
  root.card.querySelector("span").textContent = cell.title;
  root.card.hidden = false;
  const [box, at] = [root.card.offsetParent.getBoundingClientRect(), cell.getBoundingClientRect()];
  const left = Math.min(at.right - box.left + 6, box.width - root.card.offsetWidth);
  root.card.style.left = `${Math.max(0, left)}px`;
  root.card.style.top = `${at.bottom - box.top + 6}px`;
}
