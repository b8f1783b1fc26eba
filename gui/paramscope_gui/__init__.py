"""The window of Paramscope: Qt views over the core, which runs without a screen."""
