"""Runs real services against a loopback HTTPS server and counts what they open."""
