"""Log records and lines."""
