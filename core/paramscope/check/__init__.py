"""``paramscope check``: verdicts on files, each run in a process of its own, and their fixes."""
