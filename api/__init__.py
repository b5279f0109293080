"""The front: HTTP in, messages to the keeper out. It holds no secret and decides nothing that counts."""
