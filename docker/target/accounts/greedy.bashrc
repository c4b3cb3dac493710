# Somebody wanted an answer here, whoever logs in.
read -r answer
