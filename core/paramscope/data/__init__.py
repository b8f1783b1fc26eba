"""Data sets for documents, and readers for data of one's own: NumPy arrays in, nothing else.

A document is ordinary PyTorch code that runs outside the application as well, so the data does
not know which library will hold it. It comes as NumPy arrays and goes through
``torch.from_numpy``, which PyTorch and gradcore both have::

    import torch
    from paramscope.data import digits

    images, labels = (torch.from_numpy(array) for array in digits.train())

Every data set is one module of this package with the same four names: ``INFO`` (title, licence,
source, what the columns mean), ``train()`` and ``test()`` (the same rows at every call, held-out
rows never among the training rows) and ``preview(count)``. Inputs are ``float32``, classes
``int64``. :func:`paramscope.data.catalog.data_sets` finds them by listing the folder.

A document may define ``evaluate(model)``. It returns a number or a dict of names to numbers,
and is called under ``no_grad`` and in eval mode at a reduced rate; its results are the
validation curves. Like ``build()`` and ``batch()`` it is the document's own function, so a
script may call it as well.
"""
