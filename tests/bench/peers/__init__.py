"""The libraries that gradcore is compared with: one file each, written in its own idioms."""
