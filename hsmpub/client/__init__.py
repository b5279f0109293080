"""The client: everything that is asked of the service over HTTP, checked against pins."""
