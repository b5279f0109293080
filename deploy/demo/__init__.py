"""`make demo`: the whole job with real parts on loopback, from the key ceremony to the recovery."""
