package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Users of aws, rclone, mc or s5cmd type these lines from habit. Each line works, or its error
// names the line of this program.
func TestLinesOfOtherPrograms(t *testing.T) {
	tests := []struct {
		line string
		hint string // what the hint must contain, or "" if the line must work
	}{
		// aws
		{line: "s3 ls box:", hint: "leave out s3, as in omnibucket ls LOCATION"},
		{line: "ls", hint: "ls s3:// to list the buckets"},
		{line: "ls photos", hint: "write a bucket with its store, such as s3://photos"},
		{line: "ls box: --recursive --human"},
		{line: "ls box: --human-readable", hint: "use --human"},
		{line: "ls box: --summarize", hint: "use the command du"},
		{line: "ls s3://photos --profile dev", hint: "use --aws-profile"},
		{line: "ls s3://photos --no-sign-request", hint: "anonymous=true"},
		{line: "cp tree box:copy --recursive"},
		{line: "cp file box: --content-type text/plain --storage-class STANDARD_IA"},
		{line: "cp file box: --acl public-read", hint: "use --public"},
		{line: "cp tree box: --recursive --dryrun", hint: "use --dry-run"},
		{line: "sync tree box: --delete --exact-timestamps", hint: "use --checksum"},
		{line: "sync tree box:synced --delete --size-only"},
		{line: "rm box:d --recursive"},
		{line: "presign box:a --expires-in 600", hint: "use sign"},
		{line: "s3api head-object --bucket photos --key a", hint: "leave out s3api"},
		// rclone
		{line: "copy tree box:", hint: "use cp -r"},
		{line: "copyto file box:b", hint: "use cp"},
		{line: "lsd box:", hint: "use ls"},
		{line: "lsjson box:", hint: "use ls --json"},
		{line: "rcat box:q", hint: "use cp with - as the source"},
		{line: "purge box:d", hint: "use rm -r"},
		{line: "listremotes", hint: "use config list"},
		{line: "config create photos s3", hint: "use config add NAME LOCATION"},
		{line: "env", hint: "use config list"},
		{line: "sync -P tree box:", hint: "leave it out: a terminal shows the progress"},
		{line: "sync tree box: --transfers 4 --fast-list", hint: "use --concurrency"},
		{line: "sync tree box: --update", hint: "--ignore-existing"},
		{line: "serve http box:", hint: "serve LOCATION"},
		{line: "mount box: mnt", hint: "cannot be mounted"},
		// mc
		{line: "alias set photos http://127.0.0.1:9000 key secret", hint: "use config add NAME LOCATION"},
		{line: "mirror --overwrite --remove tree box:", hint: "use sync"},
		{line: "find box: --name *.jpg", hint: "use --include"},
		{line: "find box: --older-than 7d", hint: "use --older"},
		{line: "versions box:", hint: "use ls --versions"},
		{line: "version enable box:", hint: "use bucket --versioning on"},
		{line: "pipe box:q", hint: "use cp with - as the source"},
		{line: "tag set box:a k=v", hint: "use --set KEY=VALUE"},
		{line: "share download box:a", hint: "use sign"},
		{line: "rm -r --force --versions box:d", hint: "expire --old-versions"},
		{line: "undo box:", hint: "use undelete"},
		{line: "mb -p box:", hint: "leave it out"},
		// s5cmd
		{line: "cp box:* out/"},
		{line: "rm box:*", hint: "add --all"},
		{line: "--numworkers 64 ls box:", hint: "use --concurrency"},
		{line: "--endpoint-url http://127.0.0.1:1 ls box:", hint: "use --endpoint"},
		{line: "cp -n file box:", hint: "use --ignore-existing"},
		{line: "du --humanize box:", hint: "use --human"},
		{line: "bucket-version box:", hint: "use bucket --versioning on"},
		{line: "cat box:a --offset 1", hint: "use --range"},
	}
	for i, tt := range tests {
		t.Run(fmt.Sprint(i+1, " ", tt.line), func(t *testing.T) {
			s := newShell(t)
			t.Chdir(t.TempDir())
			writeFiles(t, ".", map[string]string{"file": "file", "tree/a": "a"})
			s.setLocation("box", newMemoryAddress(t))
			s.putKeysAsContent("box:", "a", "d/b")
			args, err := splitWords(tt.line)
			require.NoError(t, err)
			if tt.hint == "" {
				s.run(args...)
				return
			}
			var printed bytes.Buffer
			require.NotZero(t, run(t.Context(), args, s.environment(nil, &printed, &printed)))
			require.Regexp(t, "(?m)^hint: .*"+regexp.QuoteMeta(tt.hint), printed.String())
		})
	}
}

// cp, mv and rm of single files report in one line what they did, and nothing with --quiet.
func TestCommandsSayWhatTheyDid(t *testing.T) {
	tests := []struct {
		line string
		want string
	}{
		{line: "cp file box:new/", want: "uploaded file to mem://said/new/file (4 B)\n"},
		{line: "cp box:a copy", want: "downloaded mem://said/a to copy (1 B)\n"},
		{line: "cp box:a box:b", want: "copied mem://said/a to mem://said/b (1 B)\n"},
		{line: "cp file tree/a box:new/", want: "2 transferred\n"},
		{line: "mv box:a box:b", want: "moved mem://said/a to mem://said/b (1 B)\n"},
		{line: "mv file box:", want: "moved file to mem://said/file (4 B)\n"},
		{line: "rm box:a", want: "deleted a\n"},
		{line: "rm box:a box:d/b", want: "2 deleted\n"},
		{line: "rm -r box:d", want: "1 deleted (3 B)\n"},
		{line: "cp box:a -", want: ""},
		{line: "cp --ignore-existing file box:a", want: ""},
		{line: "rm --dry-run box:a", want: ""},
		{line: "rm --verbose box:a", want: ""},
		{line: "rm --json box:a", want: ""},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			for _, quiet := range []bool{false, true} {
				s := newShell(t)
				t.Chdir(t.TempDir())
				writeFiles(t, ".", map[string]string{"file": "file", "tree/a": "a"})
				s.setLocation("box", "mem://said")
				s.putKeysAsContent("box:", "a", "d/b")

				args, err := splitWords(tt.line)
				require.NoError(t, err)
				want := tt.want
				if quiet && !strings.Contains(tt.line, "--verbose") {
					args = append(args, "--quiet")
					want = ""
				}

				_, stderr := s.requireExit(exitOK, args...)
				require.Equal(t, want, stderr)
				// All cases use this bucket. Remove it, so that the next case does not find these
				// objects.
				s.requireExit(exitOK, "rb", "--force", "mem://said")
			}
		})
	}
}

// diff prints the differences in the order of the keys.
func TestDiffInOrder(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "a", "b", "d", "e/f")
	t.Chdir(t.TempDir())
	writeFiles(t, ".", map[string]string{"tree/b": "other", "tree/c": "c", "tree/d": "d", "tree/e/g": "g"})

	stdout, _ := s.requireExit(exitFailure, "diff", "tree", "box:")
	require.Equal(t, "> a\n! b\n< c\n> e/f\n< e/g\n", stdout)
}
