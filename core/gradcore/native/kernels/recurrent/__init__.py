"""Recurrent layers over whole sequences, forward and backward, one kernel call each."""

from gradcore.native.kernels.recurrent import gru, lstm, rnn

__all__ = ["gru", "lstm", "rnn"]
