"""What leaves the studio: self-contained HTML pages, CSV tables, records in RobustBench's shape.
Pure: text out, nothing is written. Modules that draw import plotly; import those where a report is
made, not at the top of a page."""
