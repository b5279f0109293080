"""The command `hsmpub`: one module for each noun or verb."""
