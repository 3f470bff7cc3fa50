#!/bin/sh
# Makes the repository where the volume has none, then serves it.
set -eu
repository=/srv/git/lab.git
export HOME=/tmp
if [ ! -e "$repository/HEAD" ]; then
  git init --quiet --bare --initial-branch=main "$repository"
fi
# History is what the lab teaches from: it is undone by `git revert`, never rewritten.
git -C "$repository" config receive.denyNonFastForwards true
git -C "$repository" config receive.denyDeletes true
exec lighttpd -D -f /etc/git-server/lighttpd.conf
