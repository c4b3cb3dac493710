echo "Welcome to this host. It has a long greeting:"
i=0
while [ $i -lt 100 ]; do echo "line $i: you have no mail"; i=$((i + 1)); done
printf '\033]0;a title\007 and an unfinished line'
echo "something for stderr" >&2
alias python3=false
set -o noclobber
