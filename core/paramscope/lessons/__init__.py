"""Lessons: a broken model, a goal, and a check that sees by itself when the goal is reached.

One file a lesson; :func:`paramscope.lessons.catalog.lessons` finds them by listing the folder.
A lesson looks at plain values only: the document's source and the last `Progress`, which the
window makes from the worker's snapshots. It knows nothing of Qt and starts no process.
"""
