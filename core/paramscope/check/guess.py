"""A sample input for a class that is named without one, as the window guesses it."""

from dataclasses import replace

from paramscope.check.target import Source, functions_of
from paramscope.code.sample_input import guess_inputs


def with_guessed_input(source: Source) -> Source:
    """Add a sample input as its code asks for it to a class that was named without one."""
    target = source.target
    if not target.expression or target.sample or "batch" in functions_of(source.text):
        return source
    makes = target.expression if target.expression.endswith(")") else f"{target.expression}()"
    guesses = guess_inputs(source.text, makes)
    if not guesses or not all(guess.text for guess in guesses):
        return source
    sample = ", ".join(guess.text for guess in guesses)
    return replace(source, target=replace(target, sample=sample))
