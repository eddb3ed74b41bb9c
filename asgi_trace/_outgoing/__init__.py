"""What goes along with an outgoing call or a job: headers, and hooks for HTTP clients."""
