"""The full tables: also the operations behind layers, which `import gradcore` leaves until then.

Who walks the tables, or asks them for any operation by its name, takes them from here.
"""

import gradcore.ops.activation
import gradcore.ops.activation_in_place
import gradcore.ops.alignment
import gradcore.ops.convolution
import gradcore.ops.loss
import gradcore.ops.normalization
import gradcore.ops.padding
import gradcore.ops.pooling
import gradcore.ops.recurrent  # noqa: F401  # these nine fill the tables
from gradcore.ops.registry import COMPOSITES, METHODS, OPERATIONS

__all__ = ["COMPOSITES", "METHODS", "OPERATIONS"]
