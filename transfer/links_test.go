package transfer_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// WithDelete keeps the copies of files below a broken link, because the files may still exist and the link may be
// repaired.
func TestWithLinksBroken(t *testing.T) {
	names := []string{
		"current",
		"current-old/x.html",
		"current.html",
		"current/index.html",
		"current/sub/x.html",
		"releases/5/index.html",
	}
	leftovers := []string{"current", "current/index.html", "current/sub/x.html"}
	tests := []struct {
		name   string
		to     string
		opts   []transfer.Option
		left   []string
		failed bool
	}{
		{name: "it leads nowhere", to: "releases/5", left: leftovers, failed: true},
		{name: "it leads outside", to: "../releases", left: leftovers, failed: true},
		{
			name:   "its name is not included",
			to:     "releases/5",
			opts:   []transfer.Option{transfer.WithInclude("**/*.html")},
			left:   leftovers,
			failed: true,
		},
		{
			name: "it is excluded",
			to:   "releases/5",
			opts: []transfer.Option{transfer.WithExclude("current")},
			left: leftovers,
		},
		{
			name:   "the files below it are excluded",
			to:     "releases/5",
			opts:   []transfer.Option{transfer.WithExclude("current/")},
			left:   leftovers,
			failed: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := newTree(t, map[string]string{"releases/6/index.html": "x"})
			require.NoError(t, os.Symlink(tt.to, filepath.Join(src, "current")))
			b := newFilledBucket(t, names)
			report, err := transfer.Upload(t.Context(), b, src,
				append(tt.opts, transfer.WithLinks(), transfer.WithDelete())...)
			if tt.failed {
				require.Error(t, err)
				require.Len(t, report.Failures, 1)
				require.Equal(t, "current", report.Failures[0].Key)
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, int64(3), report.Deleted)
			require.ElementsMatch(t, append([]string{"releases/6/index.html"}, tt.left...),
				keysOf(contents(t, b)))
		})
	}
}

// With WithLinks, a path may go through at most three links.
func TestWithLinksThreeAtMost(t *testing.T) {
	dir := newTree(t, map[string]string{"d/file": "x"})
	for i := range 5 {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, fmt.Sprint(i)), 0o755))
		require.NoError(t, os.Symlink(fmt.Sprintf("../%d", i+1), filepath.Join(dir, fmt.Sprint(i), "next")))
	}
	writeFiles(t, dir, map[string]string{"5/file": "x"})
	b := memstore.New()

	report, err := transfer.Upload(t.Context(), b, dir, transfer.WithLinks())
	require.ErrorContains(t, err, "too many links")
	require.ElementsMatch(t, []string{"d/file", "5/file", "4/next/file", "3/next/next/file", "2/next/next/next/file"}, keysOf(contents(t, b)))

	var failures []string
	for _, f := range report.Failures {
		failures = append(failures, f.Key)
	}
	require.Equal(t, []string{"0/next/next/next/next/", "1/next/next/next/next/"}, failures)
}

// With WithLinks, a job ends even if directories link to each other.
func TestWithLinksInACircle(t *testing.T) {
	const n = 6
	dir := t.TempDir()
	for i := range n {
		writeFiles(t, dir, map[string]string{fmt.Sprintf("%d/file", i): "x"})
		for end := range n {
			if end != i {
				require.NoError(t,
					os.Symlink(fmt.Sprintf("../%d", end), filepath.Join(dir, fmt.Sprint(i), fmt.Sprint(end))))
			}
		}
	}
	report, err := transfer.Upload(t.Context(), memstore.New(), dir, transfer.WithLinks(),
		transfer.WithDryRun())
	require.Error(t, err)
	require.Equal(t, int64(n*(1+5+5*4+5*4*3)), report.Transferred)
}

// Jobs never transfer the directory of WithResume, wherever it is.
func TestWithResumeDirectoryIsSkipped(t *testing.T) {
	files := map[string]string{"a": "x", ".cache/mine": "x", ".cache/job/1.upload": "journal"}
	want := []string{"a", ".cache/mine"}

	t.Run("of a source", func(t *testing.T) {
		src := newTree(t, files)
		require.NoError(t, os.Symlink(".cache/job", filepath.Join(src, "link")))
		b := newFilledBucket(t, []string{".cache/job/of before", "link/of before", "spare"})
		_, err := transfer.Upload(t.Context(), b, src, transfer.WithLinks(), transfer.WithDelete(),
			transfer.WithResume(filepath.Join(src, ".cache/job")))
		require.NoError(t, err)
		require.ElementsMatch(t, append([]string{".cache/job/of before", "link/of before"}, want...),
			keysOf(contents(t, b)), "and it is not deleted")
	})

	t.Run("of a destination", func(t *testing.T) {
		dst := newTree(t, files)
		_, err := transfer.Download(t.Context(), newFilledBucket(t, want), dst, transfer.WithDelete(),
			transfer.WithResume(filepath.Join(dst, ".cache/job")))
		require.NoError(t, err)
		require.Len(t, fingerprints(t, dst), 3)
	})

	t.Run("by another name", func(t *testing.T) {
		src := newTree(t, files)
		alias := filepath.Join(t.TempDir(), "alias")
		require.NoError(t, os.Symlink(src, alias))
		b := memstore.New()
		_, err := transfer.Upload(t.Context(), b, src,
			transfer.WithResume(filepath.Join(alias, ".cache/job")))
		require.NoError(t, err)
		require.ElementsMatch(t, want, keysOf(contents(t, b)))
	})

	t.Run("it is not the tree itself", func(t *testing.T) {
		src := newTree(t, files)
		_, err := transfer.Upload(t.Context(), memstore.New(), src, transfer.WithResume(src))
		require.ErrorContains(t, err, "WithResume must name another directory")
	})
}

// Reports and errors print control characters of names as escapes, so that a name cannot send commands to a
// terminal.
func TestReportFailuresArePrintable(t *testing.T) {
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
	require.True(t, strings.Contains(report.String(), `l\x1b[31mink`), "they are shown with escapes")
}
