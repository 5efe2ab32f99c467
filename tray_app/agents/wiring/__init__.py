"""How each client is pointed at the proxy, one file a client: what is set in its own files, or in its environment."""
