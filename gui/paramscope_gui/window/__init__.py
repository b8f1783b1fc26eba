"""The main window: panels and canvas arranged, menus, documents and lessons."""
