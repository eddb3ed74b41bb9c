"""OpenTelemetry: spans, ids, attributes and export."""
