"""Every setting of every task, as frozen pydantic models: one module a task."""
