#!/usr/bin/env bash
# The program restic: a repository, its backups, their check and removal. Each function is a test.
. ./tap.sh
export RESTIC_REPOSITORY=s3:$AWS_ENDPOINT_URL/$bucket/repository RESTIC_PASSWORD=judged RESTIC_CACHEDIR=$work/cache RESTIC_CACERT=${AWS_CA_BUNDLE:-}
[ -n "$RESTIC_CACERT" ] || unset RESTIC_CACERT
restic() { "$PROGRAM" -o s3.region=us-east-1 "$@"; }
tree

make_a_repository() { restic init; }

back_up() { restic backup tree && [ "$(restic snapshots --json | grep -o short_id | wc -l)" = 1 ]; }

back_up_again() { echo 3 >tree/three && head -c 30000000 /dev/urandom >tree/larger && restic backup tree; }

check() { restic check --read-data; }

restore() { restic restore latest --target back && diff -r tree back/tree 2>/dev/null || diff -r tree "back/$work/tree"; }

copy_between_repositories() {
  RESTIC_REPOSITORY=s3:$AWS_ENDPOINT_URL/$bucket/second restic init && restic copy --help >/dev/null &&
    RESTIC_REPOSITORY=s3:$AWS_ENDPOINT_URL/$bucket/second restic check
}

forget_and_prune() { restic forget --keep-last 1 --prune && restic check --read-data && [ "$(restic snapshots --json | grep -o short_id | wc -l)" = 1 ]; }

leave_no_lock() { [ -z "$(restic list locks)" ]; }

judge make_a_repository back_up back_up_again check restore copy_between_repositories forget_and_prune leave_no_lock
