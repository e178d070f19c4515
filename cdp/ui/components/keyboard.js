// For whoever works by keyboard: a link before everything else that leads to the page's main button, and focus that follows a start to what
// it brings. Streamlit 1.67 disables the button that was pressed, which drops the focus to the top of the page.

const BUTTON = ".st-key-action button, .st-key-action a";
const RESULT = ".st-key-live";
const TABLE = '[data-testid="stDataFrame"]';
const PATIENCE_MS = 10000;

export default function () {
  if (window.cdpKeyboard) return;
  window.cdpKeyboard = true;
  const link = document.createElement("a");
  link.className = "cdp-skip";
  link.href = "#";
  link.textContent = "Skip to the main button";
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const target = document.querySelector(BUTTON) ?? document.querySelector("h1");
    if (target?.tagName === "H1") target.tabIndex = -1;
    target?.focus();
    target?.scrollIntoView({ block: "center" });
  });
  document.body.prepend(link);
  document.addEventListener("click", (event) => {
    if (event.target.closest?.(".st-key-generate")) follow(performance.now());
  });
  document.addEventListener("keydown", tick, true);
}

// Space ticks the line of a table, as it does everywhere else; the grid itself has that on Shift and Space, and opens the cell on Space.
function tick(event) {
  const other = event.shiftKey || event.ctrlKey || event.altKey || event.metaKey;
  if (event.key !== " " || other || !event.target.closest?.(TABLE) || event.target.matches("input, textarea")) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const { key, code, keyCode } = event;
  event.target.dispatchEvent(new KeyboardEvent("keydown", { key, code, keyCode, shiftKey: true, bubbles: true, cancelable: true }));
}

// Until the result is there, unless the person has gone on to something else by then.
function follow(since) {
  const result = document.querySelector(RESULT);
  const active = document.activeElement;
  const elsewhere = active && active !== document.body && !active.closest(".st-key-action");
  if (elsewhere || performance.now() - since > PATIENCE_MS) return;
  if (!result) return void setTimeout(() => follow(since), 100);
  result.tabIndex = -1;
  result.setAttribute("role", "region");
  result.setAttribute("aria-label", "Result");
  result.focus({ preventScroll: window.innerWidth > 640 });
}
