"""What the pages are made of: settings in the URL, forms, live views, results. With app.py and
pages/ the only streamlit code. No module here imports torch, diffusers, umap or sklearn: the
engine's worker thread does, after a page has painted."""

from pathlib import Path

STYLE = Path(__file__).with_name("style.css")
"""What the theme cannot say, for all pages."""
