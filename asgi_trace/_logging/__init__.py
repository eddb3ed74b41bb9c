"""Log records: the ids on them, and the lines that formatters write."""
