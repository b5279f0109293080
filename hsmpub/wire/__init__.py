"""What processes say to each other over Unix sockets: a closed set of messages, framed, peer-checked."""
