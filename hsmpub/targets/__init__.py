"""Where releases go: one module per kind of target, all through one vetted host (`pinned`)."""
