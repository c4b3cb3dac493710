setopt noclobber nomatch
print "zsh says hello"
