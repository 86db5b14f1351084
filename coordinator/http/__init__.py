"""The coordinator's HTTP side: the public API, the agent protocol, and the web page."""
