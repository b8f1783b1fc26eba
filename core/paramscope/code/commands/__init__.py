"""The commands that edit a document: immutable values with ``label`` and ``apply(document)``.

Edits replace stretches of the source; what a command does not touch stays byte for byte.
"""

from paramscope.code.commands.add import AddModule, AddOperation, AddTensor
from paramscope.code.commands.arguments import SetArgument
from paramscope.code.commands.edit import MoveNodes, ReplaceDocument, ReplaceText, Together
from paramscope.code.commands.freeze import Freeze, Unfreeze
from paramscope.code.commands.remove import Delete
from paramscope.code.commands.rename import Rename
from paramscope.code.commands.tensors import Register, RegisterBuffer, Unregister
from paramscope.code.commands.wires import Connect, ConnectThrough, Disconnect, InsertOnWire

__all__ = [
    "AddModule",
    "AddOperation",
    "AddTensor",
    "Connect",
    "ConnectThrough",
    "Delete",
    "Disconnect",
    "Freeze",
    "InsertOnWire",
    "MoveNodes",
    "Register",
    "RegisterBuffer",
    "Rename",
    "ReplaceDocument",
    "ReplaceText",
    "SetArgument",
    "Together",
    "Unfreeze",
    "Unregister",
]
