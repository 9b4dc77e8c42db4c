"""`miiii completion`: a script by which a shell completes commands, options, presets and names.

The script looks up the names of runs and studies itself, because starting Python would be slow. It
offers only names that a run can have: a shell may execute parts of other words.
"""

from dataclasses import dataclass, field
from typing import Literal

import tyro

from miiii.cli.arguments import parse


@dataclass(frozen=True)
class CompletionArguments:
    """Print a script that completes commands, options, presets and the names of runs and studies.

    bash: eval "$(miiii completion bash)" in ~/.bashrc. zsh: eval "$(miiii completion zsh)" in
    ~/.zshrc. fish: miiii completion fish > ~/.config/fish/completions/miiii.fish
    """

    shell: tyro.conf.Positional[Literal["bash", "zsh", "fish"]] = field(metadata={"option": None})
    """The shell."""


def completion_command(words: list[str]) -> int:
    """Run `miiii completion`; returns the exit code."""
    arguments = parse(CompletionArguments, words, "miiii completion")
    from miiii.cli.completion_scripts import bash_script, fish_script, zsh_script
    from miiii.cli.words import known_words

    scripts = {"bash": bash_script, "zsh": zsh_script, "fish": fish_script}
    print(scripts[arguments.shell](known_words()), end="")
    return 0
