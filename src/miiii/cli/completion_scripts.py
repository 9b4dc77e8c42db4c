"""Completion scripts for bash, zsh and fish, from the words of `words.known_words`."""

import shlex
from collections.abc import Sequence

from miiii.cli.words import RUN_COMMANDS, STUDY_COMMANDS, CommandWords

_BASH = r"""# Completion of miiii. Written by `miiii completion`.

_miiii_names() { # OPTION DEFAULT FILE: names in the option's directory that hold the file
  local directory=$2 index entry name
  [[ -n ${ZSH_VERSION-} ]] && setopt local_options null_glob
  for ((index = 1; index < COMP_CWORD; index++)); do
    if [[ ${COMP_WORDS[index]} == "$1" ]]; then
      directory=${COMP_WORDS[index + 1]}
      [[ $directory == "=" ]] && directory=${COMP_WORDS[index + 2]}
    fi
  done
  for entry in "$directory"/*/"$3"; do
    name=${entry%/*}
    name=${name##*/}
    # A shell would execute some of the words that are no name of a run.
    if [[ -f $entry && $name =~ ^[A-Za-z0-9_][A-Za-z0-9._-]*$ ]]; then
      printf '%s\n' "$name"
    fi
  done
}

_miiii_runs() { _miiii_names --runs-dir runs config.toml; }
_miiii_studies() { _miiii_names --studies-dir studies study.toml; }

_miiii() {
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  local command=${COMP_WORDS[1]} offered=""
  COMPREPLY=()
  if [[ $current == "=" ]]; then
    current=""
  elif [[ $before == "=" ]]; then
    before=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W "@COMMANDS@" -- "$current"))
    return
  fi
  case "$command $before" in
@VALUES@
    @DIRECTORIES@) COMPREPLY=($(compgen -d -- "$current")); return ;;
    @FILES@) COMPREPLY=($(compgen -f -- "$current")); return ;;
    @TEXTS@) return ;;
  esac
  case "$current" in
    -*)
      case "$command" in
@OPTIONS@
      esac
      ;;
    *)
      case "$command" in
@ARGUMENTS@
      esac
      ;;
  esac
  COMPREPLY=($(compgen -W "$offered" -- "$current"))
}
"""
_BASH_END = "complete -o bashdefault -o default -F _miiii miiii\n"
_ZSH_START = """autoload -Uz compinit bashcompinit
(( ${+functions[compdef]} )) || compinit
bashcompinit
"""

_FISH = r"""# Completion of miiii. Written by `miiii completion`.

function __miiii_names # OPTION DEFAULT FILE: names in the option's directory that hold the file
  set -l directory $argv[2]
  set -l words (commandline -opc)
  for index in (seq (count $words))
    if test "$words[$index]" = $argv[1]; and test $index -lt (count $words)
      set directory $words[(math $index + 1)]
    else if string match -q -- "$argv[1]=*" $words[$index]
      set directory (string replace -- "$argv[1]=" "" $words[$index])
    end
  end
  for entry in $directory/*/$argv[3]
    set -l name (path basename (path dirname $entry))
    string match -qr '^[A-Za-z0-9_][A-Za-z0-9._-]*$' -- $name; and echo $name
  end
end

function __miiii_runs; __miiii_names --runs-dir runs config.toml; end
function __miiii_studies; __miiii_names --studies-dir studies study.toml; end

"""


def bash_script(commands: Sequence[CommandWords]) -> str:
    """The script for bash 3.2 or later."""
    return _filled(commands) + _BASH_END


def zsh_script(commands: Sequence[CommandWords]) -> str:
    """The script for zsh, which can load bash's functions."""
    return _ZSH_START + _filled(commands) + _BASH_END


def _filled(commands: Sequence[CommandWords]) -> str:
    values, options, arguments = [], [], []
    for one in commands:
        for option in one.options:
            if option.follows == "values":
                words = f'offered="{" ".join(option.values)}"'
            elif option.follows == "runs":
                words = "offered=$(_miiii_runs)"
            else:
                continue
            found = 'COMPREPLY=($(compgen -W "$offered" -- "$current")); return'
            values.append(f'    "{one.name} {option.name}") {words}; {found} ;;')
        names = " ".join(option.name for option in one.options)
        options.append(f'        {one.name}) offered="{names}" ;;')
        if offered := _arguments(one, "$(_miiii_runs)", "$(_miiii_studies)"):
            arguments.append(f'        {one.name}) offered="{offered}" ;;')
    script = _BASH.replace("@COMMANDS@", " ".join(one.name for one in commands))
    for mark, lines in (("@VALUES@", values), ("@OPTIONS@", options), ("@ARGUMENTS@", arguments)):
        script = script.replace(mark, "\n".join(lines))
    for mark, kind in (("@DIRECTORIES@", "directory"), ("@FILES@", "file"), ("@TEXTS@", "text")):
        pairs = [
            f'"{one.name} {option.name}"'
            for one in commands
            for option in one.options
            if option.follows == kind
        ]
        script = script.replace(mark, " | ".join(pairs) or '"nothing nothing"')
    return script


def fish_script(commands: Sequence[CommandWords]) -> str:
    """The script for fish 3.5 or later."""
    begin = "complete -c miiii -n __fish_use_subcommand -f"
    lines = [f"{begin} -a {one.name} -d {shlex.quote(one.purpose)}" for one in commands]
    for one in commands:
        begin = f"complete -c miiii -n '__fish_seen_subcommand_from {one.name}'"
        for option in one.options:
            line = f"{begin} -l {option.name.removeprefix('--')}"
            if option.follows == "values":
                line += f" -x -a {shlex.quote(' '.join(option.values))}"
            elif option.follows == "runs":
                line += " -x -a '(__miiii_runs)'"
            elif option.follows == "directory":
                line += " -x -a '(__fish_complete_directories)'"
            else:
                line += {"file": " -r -F", "text": " -x"}.get(option.follows, "")
            lines.append(line)
        if offered := _arguments(one, "(__miiii_runs)", "(__miiii_studies)"):
            lines.append(f"{begin} -k -a {shlex.quote(offered)}")
    return _FISH + "\n".join(lines) + "\n"


def _arguments(command: CommandWords, runs: str, studies: str) -> str:
    parts = list(command.arguments)
    parts += [runs] if command.name in RUN_COMMANDS else []
    parts += [studies] if command.name in STUDY_COMMANDS else []
    return " ".join(parts)
