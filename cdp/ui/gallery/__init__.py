"""The Gallery: saved sets, one in detail, two side by side, and generations on their way."""
