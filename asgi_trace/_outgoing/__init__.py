"""The ids of a request on its outgoing calls and jobs: headers, and hooks for HTTP clients."""
