// Closes the menu after a choice where it lies over the page. Streamlit 1.67 does so only for browsers that call themselves mobile.

const OVER_THE_PAGE = 768; // pixels below which Streamlit lays the sidebar over the page

export default function () {
  if (window.cdpMenu) return;
  window.cdpMenu = true;
  document.addEventListener("click", (event) => {
    if (window.innerWidth >= OVER_THE_PAGE || !event.target.closest?.('[data-testid="stSidebarNavLink"]')) return;
    document.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click();
  });
}
