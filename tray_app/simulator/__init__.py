"""A provider that misbehaves on request: an OpenRouter on the loopback, driven by a script.

The demo, the tests and users share it. `server.Simulator` runs on a loop that you have,
`thread.SimulatorThread` brings its own, `script` reads the TOML that says how each key behaves.
What a behaviour sends is a value (`values.Reply`); only `wire` touches a socket.
The same request, script and seed give the same bytes, and no key ever stands in an answer or the log.
"""
