"""Files of ssh_config, each about one thing; "{d}" stands for where their PARTS lie."""

from __future__ import annotations

import getpass

FILES = {
    "plain": "Host web1\n  HostName 10.0.0.1\n  Port 2200\nHost *\n  Port 99\n  User all\n",
    "equals": "Host=web1\nHostName = 10.0.0.1\nPort= 2200\nUser =ann\n",
    "quotes": 'Host "web1" web2\n  UserKnownHostsFile "/a"\n  IdentityFile "/with space/key"\n',
    "single quotes": "Host 'web1' other\n  Port 7\n  IdentityFile '/with space/key'\n",
    "quotes in the middle": "Host w\"eb\"1\n  Port 7\n  IdentityFile /with' 'space/\"it's\"\n",
    "backslashes": "IdentityFile /with\\ space/a\nIdentityFile \"/with\\ space/\\\"b\\\\\"\nIdentityFile /a\\b\\'c\n",
    "a sign of a comment in a word": "Host web1#1 # web1\n  Port 7\nHost web1\n  HostKeyAlias a#b\n",
    "other spaces": "# a\fPort 1\n# a\vPort 2\n# a\rPort 3\n# a\u2028Port 4\nHost web1\v\n  Port 5\n"
    "Host web1\f\r\n  Port 6\n",
    "tabs and comments": "# all\n\n\tHost\tweb1 # one\n\tPort\t7\n#Port 8\n",
    "negation": "Host w* !web1\n  Port 1\nHost *1 !web2\n  Port 2\n",
    "question marks": "Host web?\n  Port 5\nHost web??\n  Port 6\n",
    "case": "HOST WEB1\n  PORT 5\n  hostname H\nhost web1\n  user ann\n",
    "before any Host": "Port 17\nHost web1\n  Port 18\n",
    "first wins": "Host web1\n  Port 1\n  Port 2\nHost web1\n  Port 3\n  User x\n",
    "all keys": "Host web1\n  IdentityFile /a\n  IdentityFile /b\nHost *\n  IdentityFile /c_%h_%n_%p_%r\n",
    "certificates": "CertificateFile /a-%r\nCertificateFile /b\n",
    "match": "Match host web*\n  Port 4\nMatch all\n  Port 5\n  User m\n",
    "match in upper case": "Host web1\n  HostName OTHER\nMatch host OthEr\n  Port 4\n"
    "Match originalhost WEB1\n  User o\n",
    "match several": "Match originalhost web1 user ann\n  Port 4\nMatch !user ann host web1\n  Port 5\n",
    "match the name found": "Host web1\n  HostName other\nMatch host other\n  Port 4\nMatch originalhost web1\n"
    "  User o\n",
    "match me": f"Match localuser {getpass.getuser()}\n  Port 4\n",
    "match equals": "Match host=web1\n  Port 44\n",
    "include": "Include {d}/part*\nPort 9\n",
    "include in a block": "Host web1\n  Include {d}/part_b\n  User ann\n",
    "include in another's block": "Host other\n  Include {d}/part_a {d}/part_b\nHost web1\n  User ann\n",
    "include of nothing": "Include {d}/none*\nPort 12\n",
    "include in quotes": "Include '{d}/part_a'\nInclude \"{d}\"/part_b\n",
    "include a Host": "Include {d}/part_b\nUser behind\n",
    "jump": "ProxyJump a@b:1,c\nProxyCommand never\n",
    "jump addresses": "ProxyJump 127.0.0.1:1,a@[::1]:2,10.0.0.1\n",
    "command": "ProxyCommand nc -x 'a b' %h %p # not a comment\nProxyJump never\n",
    "jump none first": "ProxyJump none\nProxyCommand nc %h %p\n",
    "command none first": "ProxyCommand none\nProxyJump b\n",
    "times": "ConnectTimeout 90\nServerAliveInterval 60\nServerAliveCountMax 5\nConnectionAttempts 4\n",
    "units": "ConnectTimeout 1m30s\nServerAliveInterval 2m\n",
    "environment": "SendEnv RSVC_* NOT_THERE\nSetEnv A=b C=d\n",
    "environment taken back": "SendEnv RSVC_*\nHost web1\n  SendEnv -RSVC_*\n  SendEnv RSVC_B1\n",
    # Debian's ssh has another ServerAliveInterval where it may not ask.
    "authentication": "ServerAliveInterval 9\nPreferredAuthentications password,publickey\n"
    "PasswordAuthentication no\nBatchMode yes\n"
    "KbdInteractiveAuthentication no\nNumberOfPasswordPrompts 1\nPubkeyAuthentication no\n",
    "network": "AddressFamily inet6\nBindAddress ::1\nCompression yes\n",
    "ciphers": "Ciphers aes256-ctr,aes128-gcm@openssh.com\nMACs hmac-sha2-512\nHostKeyAlgorithms rsa-sha2-512\n"
    "KexAlgorithms ecdh-sha2-nistp384\nPubkeyAcceptedAlgorithms ssh-ed25519\nCASignatureAlgorithms ssh-ed25519\n",
    "known hosts": "UserKnownHostsFile ~/.a %d/b\nGlobalKnownHostsFile none\nHostKeyAlias k\nHashKnownHosts yes\n"
    "StrictHostKeyChecking off\n",
    "known hosts with spaces": "UserKnownHostsFile '/with space/a' b \"/with space/c\"\n",
    "none at all": "UserKnownHostsFile none\nIdentityFile none\nIdentityAgent none\n",
    "signs that look like tokens": "UserKnownHostsFile /a%%b /%%h\nIdentityAgent /a%%h\n"
    "GlobalKnownHostsFile ~/g%h\nRevokedHostKeys \"/with space/%%\"\n",
    "tokens": "".join(f"{key} /x-%C-%d-%h-%i-%k-%L-%l-%n-%p-%r-%u-%%\n" for key in
                      ("IdentityFile", "CertificateFile", "UserKnownHostsFile", "IdentityAgent")),
    "agent": "IdentityAgent ~/agent-%r\nRequiredRSASize 3000\n",
    "agent of a variable": "IdentityAgent $RSVC_A\n",
    "nothing to do with us": "RemoteCommand tmux\nLocalForward 1 a:2\nForwardAgent yes\nControlMaster auto\n"
    "ControlPath /x\nGSSAPIAuthentication yes\nLogLevel DEBUG\nVisualHostKey yes\n",
}
PARTS = {"part_a": "Port 21\nUser a\n", "part_b": "Host web1\n  Port 22\nHost other\n  User other\n"}
