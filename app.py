"""The server and the frame of every page, nothing else. Start it with ``make app``.

Streamlit finds ``app`` by its name, serves it, and runs this file again as a script for every page.
"""

import streamlit as st
from streamlit.navigation.page import StreamlitPage


def _page(name: str, title: str, icon: str, *, default: bool = False) -> StreamlitPage:
    path = f"pages/{name}.py"
    return st.Page(path, title=title, icon=f":material/{icon}:", default=default)


def _frame() -> None:
    """Draw the page that was chosen, with menu, jobs strip and keyboard."""
    from cdp import paths
    from cdp.ui import STYLE
    from cdp.ui.kit.frame import usable_home

    # An icon of our own, as browsers are sent to a font server for those of the menu.
    icon = paths.ASSETS / "icon.png"
    st.set_page_config("Contrastive-DP Studio", str(icon), layout="wide", menu_items={})
    st.html(STYLE)
    chosen = st.navigation(
        {
            "": [_page("home", "Home", "home", default=True)],
            "Make": [
                _page("generate", "Generate", "auto_awesome"),
                _page("gallery", "Gallery", "photo_library"),
                _page("data", "Your data", "folder_open"),
            ],
            "Look": [
                _page("explore", "Explore", "scatter_plot"),
                _page("lab", "Attack lab", "biotech"),
            ],
            "Train": [_page("train", "Train", "model_training")],
            "Judge": [
                _page("experiment", "Experiment", "experiment"),
                _page("evaluate", "Evaluate", "shield"),
                _page("compare", "Compare", "balance"),
            ],
            "Learn": [_page("theory", "Theory", "functions")],
        }
    )
    usable_home()
    jobs = st.container()  # in the same place of every page
    jobs.empty()  # or the page would move down when the strip comes
    try:
        chosen.run()
    finally:
        # Here, as a fresh server has painted its first page before what this needs is imported.
        from cdp.ui.components import closing_menu, keyboard
        from cdp.ui.kit.jobs import strip
        from cdp.ui.kit.upkeep import tidy

        tidy(str(paths.home()))
        with jobs:
            strip()
        closing_menu()
        keyboard()


if __name__ == "__main__":
    _frame()
else:
    from cdp.ui.server import Gate

    gate = Gate.of_environment()
    app = st.App(__file__, middleware=gate.middleware, lifespan=gate.lifespan)
