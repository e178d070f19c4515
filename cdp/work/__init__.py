"""Long work off the page's path: the live engine (a thread in the app) and background runs (a
process each). Nothing here imports torch; what does the sampling is reached through cdp.tasks,
inside the worker thread or process."""
