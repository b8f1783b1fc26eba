"""Where Qt signals and the core meet: the open document, the selection and the live run."""
