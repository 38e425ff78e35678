# Types a command line into a real zsh on a pseudo-terminal and prints what its completion offers, a word on each line.
# Usage: zsh -f zsh-offers.zsh FOLDER_OF_SCRIPT TYPED
zmodload zsh/zpty

if [[ $1 == inside ]]; then
  PS1='' RPROMPT=''
  fpath=($2 $fpath)
  autoload -Uz compinit
  compinit -u -d $2/zcompdump
  # Whatever a completion adds is printed as well; it asks with -O, -A or -D when it only wants to know.
  compadd() {
    local -a hits
    if [[ " ${(j: :)@%%--*}" != *\ -[OAD]* ]]; then
      builtin compadd -O hits "$@"
      (( $#hits )) && print -rl -- "OFFER "$^hits
    fi
    builtin compadd "$@"
  }
  tell() {
    _main_complete
    compstate[insert]=''
    compstate[list]=''
    print -r -- ENDOFFERS
  }
  zle -C tell complete-word tell
  bindkey '^I' tell
  print -r -- READY
  return
fi

zpty shell zsh -f -i
zpty -w shell "source ${0:A} inside $1"
while zpty -r shell line; do [[ $line == READY* ]] && break; done
zpty -w -n shell "$2"$'\t'
while zpty -r shell line; do
  [[ $line == *ENDOFFERS* ]] && break
  [[ $line == *'OFFER '* ]] && print -r -- "${${line##*OFFER }%%[[:space:]]#}"
done
zpty -d shell
