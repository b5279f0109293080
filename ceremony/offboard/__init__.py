"""Somebody leaves: everything of the service that touches them, what follows from it, and papers to carry it out."""
