"""The command line: the same tasks and the same configs as the pages. Heavy imports happen inside
the commands."""
