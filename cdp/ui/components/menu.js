// What Streamlit 1.67's menu lacks: it closes after a choice where it lies over the page (there only for browsers that call themselves
// mobile), and its groups are lists (there items without a list, so that a screen reader counts none).

const OVER_THE_PAGE = 768; // pixels below which the sidebar lies over the page

export default function () {
  if (window.cdpMenu) return;
  window.cdpMenu = true;
  document.addEventListener("click", (event) => {
    if (window.innerWidth >= OVER_THE_PAGE || !event.target.closest?.('[data-testid="stSidebarNavLink"]')) return;
    document.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click();
  });
  asLists();
  new MutationObserver(asLists).observe(document.body, { childList: true, subtree: true });
}

function asLists() {
  const menu = document.querySelector('[data-testid="stSidebarNavItems"]:not([role])');
  menu?.setAttribute("role", "presentation");
  for (const item of document.querySelectorAll('[data-testid="stSidebarNavItems"] li:not([role])')) {
    const alone = item.parentElement.matches('[data-testid="stSidebarNavItems"]');
    item.setAttribute("role", alone ? "presentation" : "listitem");
    if (!alone) item.parentElement.setAttribute("role", "list");
  }
}
