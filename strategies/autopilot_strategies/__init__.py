"""The built-in strategies: each a frozen dataclass whose fields are its parameters, found by entry point like a stranger's."""
