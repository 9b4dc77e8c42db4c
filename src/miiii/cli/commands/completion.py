"""`miiii completion`: a script that lets the shell finish commands, options, presets and names.

Names of runs and studies are looked up by the script itself when they are asked for, since starting
Python would be felt. Only names that a run can have are offered: a shell may execute a word that is
not one.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal

import tyro

from miiii.cli.arguments import parse


@dataclass(frozen=True)
class CompletionArguments:
    """Print a script that completes commands, options, presets and the names of runs and studies.

    bash: eval "$(miiii completion bash)" in ~/.bashrc. zsh: eval "$(miiii completion zsh)" in
    ~/.zshrc. fish: miiii completion fish > ~/.config/fish/completions/miiii.fish
    """

    shell: Annotated[Literal["bash", "zsh", "fish"], tyro.conf.Positional] = field(
        metadata={"option": None}
    )
    """For which shell."""


def completion_command(words: list[str]) -> int:
    """`miiii completion`."""
    arguments = parse(CompletionArguments, words, "miiii completion")
    from miiii.cli.completion_scripts import bash_script, fish_script, zsh_script
    from miiii.cli.words import known_words

    scripts = {"bash": bash_script, "zsh": zsh_script, "fish": fish_script}
    print(scripts[arguments.shell](known_words()), end="")
    return 0
