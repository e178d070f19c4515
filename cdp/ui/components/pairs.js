// Image grids drawn on one canvas each, with a button over every cell. The function runs again at every data change and
// patches what is there, so a new step replaces pixels without a flicker and without losing the keyboard focus.

export default function ({ data, parentElement, setStateValue }) {
  let root = parentElement.querySelector(".pairs");
  if (!root) {
    root = document.createElement("div");
    parentElement.appendChild(root);
    root.addEventListener("keydown", moveFocus);
  }
  root.className = `pairs ${data.shape}`;
  root.pick = (index) => {
    mark(root, index);
    setStateValue("picked", index);
  };
  while (root.children.length > data.grids.length) root.lastChild.remove();
  data.grids.forEach((grid, g) => drawGrid(root, root.children[g], grid, data));
  mark(root, data.selected);
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
