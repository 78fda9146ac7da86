# Completion of ebcache for bash. Every word that it offers is one of the program's own help.

# The lines of options in a help text, one option a line: "--json", "--threads=N".
_ebcache_options() {
  sed -nE 's/^ {4,7}(-[a-z], )?(--[a-z-]+(=[^ ]+)?)( .*)?$/\2/p' <<<"$1"
}

_ebcache_subcommands() {
  sed -n '/^ *Subcommands:$/,/^$/s/^    \([a-z][a-z-]*\)  .*/\1/p' <<<"$("$1" --help 2>/dev/null)"
}

_ebcache() {
  local program=${COMP_WORDS[0]/#\~/$HOME} current=${COMP_WORDS[COMP_CWORD]}
  local previous=${COMP_WORDS[COMP_CWORD - 1]} subcommand= option= ended= word help options
  COMPREPLY=()

  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
      --) ended=yes ;;
      -*) ;;
      *) [ -n "$subcommand" ] || subcommand=$word ;;
    esac
  done
  if [ -z "$subcommand" ] || [ "$subcommand" = help ]; then
    options=
    [[ $current != -* || -n $ended ]] || options=$(_ebcache_options "$("$program" --help 2>/dev/null)")
    COMPREPLY=($(compgen -W "$(_ebcache_subcommands "$program") $options" -- "$current"))
    return
  fi

  help=$("$program" help "$subcommand" 2>/dev/null) || return
  options=$(_ebcache_options "$help")
  # Bash takes "--threads=4" for three words.
  if [ "$current" = = ]; then
    option=$previous current=
  elif [ "$previous" = = ]; then
    option=${COMP_WORDS[COMP_CWORD - 2]}
  elif [[ -z $ended && $previous == --* && $options == *"$previous="* ]]; then
    option=$previous
  fi
  if [ -n "$option" ]; then
    word=$(sed -n "s/^$option=\(.*|.*\)$/\1/p" <<<"$options")
    COMPREPLY=($(compgen -W "${word//|/ }" -- "$current"))
  elif [[ -z $ended && $current == -* ]]; then
    COMPREPLY=($(compgen -W "$(sed 's/=.*/=/' <<<"$options")" -- "$current"))
    # Of what takes a value, that comes at once.
    [[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null
  else
    compopt -o default 2>/dev/null # a device, or a file
  fi
}

complete -F _ebcache ebcache
