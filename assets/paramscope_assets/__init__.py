"""Icons, fonts, data sets and examples, shipped with the application as package data.

Read them with ``importlib.resources.files("paramscope_assets")``; there is no code here.
"""
