"""`torch.distributed`: scripts import it to ask whether they run alone. Here they do.

What would need other processes is refused when it is called, not when it is imported, so that
scripts which can train alone are run as they are.
"""

from typing import Any, NoReturn

from gradcore.errors import UnsupportedError, ValueRangeError


def is_available() -> bool:
    """Return False: there is one process."""
    return False


def is_initialized() -> bool:
    """Return False: there is no group of processes."""
    return False


def is_torchelastic_launched() -> bool:
    """Return False: nobody started several processes."""
    return False


def get_rank(group: Any = None) -> NoReturn:
    """Refuse, as torch does where no group of processes was made."""
    raise _no_group()


def get_world_size(group: Any = None) -> NoReturn:
    """Refuse, as torch does where no group of processes was made."""
    raise _no_group()


def _no_group() -> ValueRangeError:
    return ValueRangeError(
        "Default process group has not been initialized, please make sure to call "
        "init_process_group.",
        "gradcore computes in one process.",
        "Ask torch.distributed.is_initialized() first.",
    )


def refuse(name: str) -> NoReturn:
    """Raise the error about something that needs several processes."""
    raise UnsupportedError(
        f"gradcore has no {name}: it computes in one process",
        "",
        "Leave it out where torch.distributed.is_available() is False, or run with PyTorch.",
    )


def _refusing(name: str) -> Any:
    def call(*args: Any, **kwargs: Any) -> NoReturn:
        refuse(f"torch.distributed.{name}()")

    call.__name__ = call.__qualname__ = name
    return call


init_process_group = _refusing("init_process_group")
destroy_process_group = _refusing("destroy_process_group")
barrier = _refusing("barrier")
all_reduce = _refusing("all_reduce")
all_gather = _refusing("all_gather")
all_gather_object = _refusing("all_gather_object")
broadcast = _refusing("broadcast")
broadcast_object_list = _refusing("broadcast_object_list")
reduce = _refusing("reduce")
gather = _refusing("gather")
scatter = _refusing("scatter")
send = _refusing("send")
recv = _refusing("recv")
new_group = _refusing("new_group")
