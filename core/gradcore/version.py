"""`torch.version`: that there is no CUDA, which is what scripts ask it."""

from gradcore import __version__

cuda = None
hip = None
git_version = None
debug = False

__all__ = ["__version__", "cuda", "debug", "git_version", "hip"]
