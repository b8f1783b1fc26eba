"""The panels of the window, one file each; they know the bridge and the theme only."""
