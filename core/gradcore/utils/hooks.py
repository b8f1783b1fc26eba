"""`torch.utils.hooks`: what registering a hook returns."""

from gradcore.hooks import RemovableHandle

__all__ = ["RemovableHandle"]
