"""Attestations beside the release attestation: provenance, given predicates, and cosign's for images."""
