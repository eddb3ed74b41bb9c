"""MCP without an SDK."""
