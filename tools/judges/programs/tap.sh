# What the scripts of programs share: a directory of their own, a new name of a bucket, and results in the
# Test Anything Protocol. $PROGRAM is the program, and $ONLY_BUCKET the name if the server has one bucket.
set -uo pipefail
bucket=${ONLY_BUCKET:-judged-$RANDOM$RANDOM}
host=${AWS_ENDPOINT_URL#*://}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export HOME=$work
"$PROGRAM" --version || "$PROGRAM" version

# has reports whether its standard input has a line that matches. It reads all of it, unlike grep -q, which
# would end the program before it.
has() { grep "$@" >/dev/null; }

# tree makes a directory with small files, names that need escaping, and a file of 20 MB.
tree() {
  mkdir -p tree/deep/er tree/empty
  echo 1 >tree/one && echo 2 >"tree/deep/two ä+%&=?" && : >tree/deep/er/nothing
  head -c 20000000 /dev/urandom >tree/large
}

# judge runs each function as a test, in order.
judge() {
  local number=0 test output
  for test in "$@"; do
    number=$((number + 1))
    if output=$($test 2>&1); then
      echo "ok $number - $test"
    else
      echo "not ok $number - $test"
      echo "  error: $(tr '\n' ' ' <<<"$output" | tail -c 1000)"
    fi
  done
}
