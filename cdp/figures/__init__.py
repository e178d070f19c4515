"""Figures: data in, plotly Figure out. Pure: no streamlit, no torch, nothing is read or written.
Import these modules where a figure is drawn, not at the top of a page: plotly's first figure costs
about 0.2 s."""
