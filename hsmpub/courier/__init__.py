"""Reaches out for the service: publishes signed releases and fetches issuers' keys, one child process per job.

The courier itself holds no credential and speaks to nobody but the keeper; its children do the rest.
"""
