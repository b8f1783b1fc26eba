"""`torch.backends`: switches of libraries that are not here; scripts set them and go on."""

from types import SimpleNamespace

from gradcore.compat import give_name


def is_available() -> bool:
    """Return False: none of these libraries is used."""
    return False


deterministic = True
benchmark = False
enabled = False
allow_tf32 = False

cudnn = SimpleNamespace(
    is_available=is_available,
    deterministic=True,
    benchmark=False,
    enabled=False,
    allow_tf32=False,
)
cuda = SimpleNamespace(matmul=SimpleNamespace(allow_tf32=False), is_available=is_available)
mps = SimpleNamespace(is_available=is_available, is_built=is_available)
mkl = SimpleNamespace(is_available=is_available)

# Its parts are found by `compat`, which only needs to be asked.
__path__: list[str] = []
give_name(globals(), "torch.backends")
