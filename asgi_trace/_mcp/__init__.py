"""Everything that is about MCP: its calls, its SDKs and its messages."""
