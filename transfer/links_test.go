package transfer_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// WithDelete keeps the copies of files below a broken link, because the files may still exist and the
// link may be repaired.
func TestWithLinksBroken(t *testing.T) {
	// The link "current" is broken in the source. The destination has copies of files at and below
	// this link, and of three files elsewhere.
	remainingKeys := []string{"current", "current/index.html", "current/sub/x.html"}
	removedKeys := []string{"current-old/x.html", "current.html", "releases/5/index.html"}
	tests := []struct {
		name        string
		target      string // of the link "current"
		opts        []transfer.Option
		wantFailure bool // of the link
	}{
		{name: "it leads nowhere", target: "releases/5", wantFailure: true},
		{name: "it leads outside", target: "../releases", wantFailure: true},
		{
			name:        "its name is not included",
			target:      "releases/5",
			opts:        []transfer.Option{transfer.WithInclude("**/*.html")},
			wantFailure: true,
		},
		{
			name:   "it is excluded",
			target: "releases/5",
			opts:   []transfer.Option{transfer.WithExclude("current")},
		},
		{
			name:        "the files below it are excluded",
			target:      "releases/5",
			opts:        []transfer.Option{transfer.WithExclude("current/")},
			wantFailure: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := newTree(t, map[string]string{"releases/6/index.html": "x"})
			require.NoError(t, os.Symlink(tt.target, filepath.Join(src, "current")))
			b := newFilledBucket(t, slices.Concat(remainingKeys, removedKeys))

			report, err := transfer.Upload(t.Context(), b, src,
				append(tt.opts, transfer.WithLinks(), transfer.WithDelete())...)
			if tt.wantFailure {
				require.Error(t, err)
				require.Len(t, report.Failures, 1)
				require.Equal(t, "current", report.Failures[0].Key)
			} else {
				require.NoError(t, err)
			}

			require.EqualValues(t, len(removedKeys), report.Deleted)
			require.ElementsMatch(t, append([]string{"releases/6/index.html"}, remainingKeys...), keysOf(contents(t, b)))
		})
	}
}

// With WithLinks, a path may go through at most three links.
func TestWithLinksThreeAtMost(t *testing.T) {
	// The directories are 0 to 5. Each of 0 to 4 has a link "next" to the following one, and 5 has
	// a file. So the path 0/next/next/next/next/next/file would go through five links.
	dir := newTree(t, map[string]string{"d/file": "x", "5/file": "x"})
	for i := range 5 {
		require.NoError(t, os.Mkdir(filepath.Join(dir, fmt.Sprint(i)), 0o755))
		require.NoError(t, os.Symlink(fmt.Sprintf("../%d", i+1), filepath.Join(dir, fmt.Sprint(i), "next")))
	}
	b := memstore.New()

	report, err := transfer.Upload(t.Context(), b, dir, transfer.WithLinks())
	require.ErrorContains(t, err, "too many links")

	// The file in the directory 5 is stored under each path with up to three links.
	want := []string{"d/file", "5/file", "4/next/file", "3/next/next/file", "2/next/next/next/file"}
	require.ElementsMatch(t, want, keysOf(contents(t, b)))

	// Each longer path fails at its fourth link.
	var failures []string
	for _, f := range report.Failures {
		failures = append(failures, f.Key)
	}
	require.Equal(t, []string{"0/next/next/next/next/", "1/next/next/next/next/"}, failures)
}

// A job with WithLinks ends even if directories link to each other.
func TestWithLinksInACircle(t *testing.T) {
	const dirs = 6 // each with one file, and with a link to each of the others
	top := t.TempDir()
	for i := range dirs {
		dir := filepath.Join(top, fmt.Sprint(i))
		writeFiles(t, dir, map[string]string{"file": "x"})
		for target := range dirs {
			if target != i {
				require.NoError(t, os.Symlink(fmt.Sprintf("../%d", target), filepath.Join(dir, fmt.Sprint(target))))
			}
		}
	}

	report, err := transfer.Upload(t.Context(), memstore.New(), top, transfer.WithLinks(), transfer.WithDryRun())
	require.Error(t, err)

	// A path goes through at most three links, and never twice to one directory. So a directory has
	// paths with no link, with one, with two and with three. The sum counts these paths.
	const pathsToADir = 1 + 5 + 5*4 + 5*4*3
	require.Equal(t, int64(dirs*pathsToADir), report.Transferred)
}

// Jobs never transfer or delete the directory of WithResume, wherever it is.
func TestWithResumeDirectoryIsSkipped(t *testing.T) {
	files := map[string]string{"a": "x", ".cache/mine": "x", ".cache/job/1.upload": "journal"}
	want := []string{"a", ".cache/mine"}

	t.Run("in a source", func(t *testing.T) {
		src := newTree(t, files)

		// The link is another path to the directory of WithResume.
		require.NoError(t, os.Symlink(".cache/job", filepath.Join(src, "link")))

		// WithDelete keeps objects whose files would be in the directory of WithResume, and removes
		// the object "spare".
		skippedKeys := []string{".cache/job/old", "link/old"}
		b := newFilledBucket(t, append(skippedKeys, "spare"))

		_, err := transfer.Upload(t.Context(), b, src, transfer.WithLinks(), transfer.WithDelete(),
			transfer.WithResume(filepath.Join(src, ".cache/job")))
		require.NoError(t, err)
		require.ElementsMatch(t, append(skippedKeys, want...), keysOf(contents(t, b)))
	})

	t.Run("in a destination", func(t *testing.T) {
		dst := newTree(t, files)

		_, err := transfer.Download(t.Context(), newFilledBucket(t, want), dst, transfer.WithDelete(),
			transfer.WithResume(filepath.Join(dst, ".cache/job")))
		require.NoError(t, err)
		require.Len(t, fingerprints(t, dst), len(files))
	})

	t.Run("under another name", func(t *testing.T) {
		src := newTree(t, files)
		alias := filepath.Join(t.TempDir(), "alias")
		require.NoError(t, os.Symlink(src, alias))
		b := memstore.New()
		_, err := transfer.Upload(t.Context(), b, src,
			transfer.WithResume(filepath.Join(alias, ".cache/job")))
		require.NoError(t, err)
		require.ElementsMatch(t, want, keysOf(contents(t, b)))
	})

	t.Run("which must not be the tree itself", func(t *testing.T) {
		src := newTree(t, files)
		_, err := transfer.Upload(t.Context(), memstore.New(), src, transfer.WithResume(src))
		require.ErrorContains(t, err, "WithResume must name another directory")
	})
}

// Reports and errors escape the control characters of names. So a name cannot send commands to a
// terminal.
func TestReportFailuresArePrintable(t *testing.T) {
	// The names have sequences that set the title of a terminal, clear it and change its color.
	dir := newTree(t, map[string]string{"a\x1b]0;title\x07b": "x"})
	require.NoError(t, os.Symlink("nowhere\x1b[2J", filepath.Join(dir, "l\x1b[31mink")))

	report, err := transfer.Upload(t.Context(), memstore.New(), dir, transfer.WithLinks())
	require.Error(t, err)
	require.Len(t, report.Failures, 2)
	for _, text := range []string{
		report.String(),
		err.Error(),
		report.Failures[0].Err.Error(),
		report.Failures[1].Err.Error(),
	} {
		require.NotContains(t, text, "\x1b")
		require.NotContains(t, text, "\x07")
	}
	require.Contains(t, report.String(), `l\x1b[31mink`)
}
