"""The running side: session, phases, tracer, snapshots, the worker process and its protocol."""
