"""``python -m asgi_trace``: the command, where its script is not on the path."""

from ._cli.main import main

raise SystemExit(main())
