//go:build omnibucket_sdks

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer"
)

// write writes files, by their paths, into a directory.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for path, text := range files {
		path = filepath.Join(dir, filepath.FromSlash(path))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
}

// migrate runs the program and returns its output.
func migrate(t *testing.T, args ...string) (string, error) {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var buf bytes.Buffer
	err := run(t.Context(), args, &buf)
	t.Log(buf.String())
	return buf.String(), err
}

// The program uploads the files that are not excluded. With -delete, it removes objects whose files are gone.
func TestMigrate(t *testing.T) {
	dir := t.TempDir()
	address := directoryAddress(t.TempDir())
	write(t, dir, map[string]string{"a.jpg": "picture", "sub/b.txt": "text", "sub/c.tmp": "left out"})

	// A dry run changes nothing.
	output, err := migrate(t, "-dry-run", "-exclude", "**/*.tmp", dir, address)
	require.NoError(t, err)
	require.Contains(t, output, `Would upload: "a.jpg" (7 B)`)
	require.Contains(t, output, "Nothing was changed: dry run: 2 transferred (11 B)")

	// Two files are uploaded.
	output, err = migrate(t, "-exclude", "**/*.tmp", dir, address)
	require.NoError(t, err)
	require.Contains(t, output, "Migration complete: 2 transferred (11 B), 0 the same")

	// One file is removed from the directory and then from the bucket.
	require.NoError(t, os.Remove(filepath.Join(dir, "sub/b.txt")))
	output, err = migrate(t, "-delete", "-exclude", "**/*.tmp", dir, address)
	require.NoError(t, err)
	require.Contains(t, output, "0 transferred (0 B), 1 the same, 1 deleted")
}

// Failures are printed and the rest is migrated.
func TestMigratePrintsFailures(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"good": "x", "bad.": "no key ends so"})

	output, err := migrate(t, dir, "mem://migrate-failures")
	require.ErrorContains(t, err, "1 failed; storage: Upload \"bad.\"")
	require.Contains(t, output, `Failed: "bad.": storage: Upload "bad."`)
	require.Contains(t, output, "Migration INCOMPLETE, 1 failed: 1 transferred (1 B), 0 the same, 1 failed")
	require.NotContains(t, output, "complete:")
	require.ErrorContains(t, err, "Run the same command to complete it")

	b, err := storage.Open(t.Context(), "mem://migrate-failures")
	require.NoError(t, err)
	exists, err := b.Exists(t.Context(), "good")
	require.NoError(t, err)
	require.True(t, exists)
}

// The outcome is described in a few words.
func TestOutcomeInAFewWords(t *testing.T) {
	interrupted, stop := context.WithCancel(t.Context())
	stop()
	running := &storage.Error{Code: storage.Locked, Key: "a", Hint: "the same upload is under way already"}
	tests := []struct {
		name        string
		ctx         context.Context
		report      transfer.Report
		err         error
		wantVerdict string
		wantAdvice  string
	}{
		{name: "all is there", ctx: t.Context(), report: transfer.Report{}, wantVerdict: "Migration complete"},
		{
			name:        "a dry run",
			ctx:         t.Context(),
			report:      transfer.Report{DryRun: true},
			wantVerdict: "Nothing was changed",
		},
		{
			name:        "control C",
			ctx:         interrupted,
			report:      transfer.Report{},
			err:         storage.Canceled,
			wantVerdict: "Migration interrupted",
			wantAdvice:  "Run the same command to complete it",
		},
		{
			name:        "the listing failed",
			ctx:         t.Context(),
			report:      transfer.Report{},
			err:         storage.PermissionDenied,
			wantVerdict: "Migration INCOMPLETE",
			wantAdvice:  "Run the same command to complete it",
		},
		{
			name:        "a second one beside it",
			ctx:         t.Context(),
			report:      transfer.Report{Failed: 1, Failures: []transfer.Failure{{Key: "a", Err: running}}},
			err:         running,
			wantVerdict: "Migration INCOMPLETE, 1 failed",
			wantAdvice:  "Is the same migration running elsewhere? When it has ended, run the same command to complete this one",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.wantVerdict, outcome(tt.ctx, &tt.report, tt.err))
			if tt.err != nil {
				require.Equal(t, tt.wantAdvice, advice(tt.ctx, &tt.report))
			}
		})
	}
}

// The program keeps the state of uploads that are under way in the user's cache. If somebody migrates a home directory,
// the cache lies in this directory, and its files are not uploaded.
func TestMigrateLeavesOutTheCache(t *testing.T) {
	home := t.TempDir()
	address := "mem://migrate-home"
	t.Setenv("XDG_CACHE_HOME", filepath.Join(home, ".cache"))
	write(t, home, map[string]string{"mine": "x"})

	// The cache of this migration has a file.
	cache := (&migration{dir: home, address: address}).cache()
	require.Contains(t, filepath.ToSlash(cache), ".cache/omnibucket")
	require.NoError(t, os.MkdirAll(cache, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(cache, "another's.upload"), []byte("x"), 0o600))

	var buf bytes.Buffer
	require.NoError(t, run(t.Context(), []string{home, address}, &buf))
	require.Contains(t, buf.String(), "1 transferred (1 B)")
}

// A service's user may have no home that it can write to: large files are sent
// from their beginning then.
func TestMigrateWithoutACache(t *testing.T) {
	dir := t.TempDir()
	nowhere := t.TempDir()
	write(t, dir, map[string]string{"mine": "x"})
	write(t, nowhere, map[string]string{"file": "no directory"})
	t.Setenv("XDG_CACHE_HOME", filepath.Join(nowhere, "file"))
	t.Setenv("HOME", filepath.Join(nowhere, "file"))         // on macOS
	t.Setenv("LocalAppData", filepath.Join(nowhere, "file")) // on Windows

	var buf bytes.Buffer
	require.NoError(t, run(t.Context(), []string{dir, "mem://migrate-without-cache"}, &buf))
	require.Contains(t, buf.String(), "Migration complete: 1 transferred")
}

// A dry run makes no cache.
func TestDryRunMakesNoCache(t *testing.T) {
	dir := t.TempDir()
	cache := t.TempDir()
	write(t, dir, map[string]string{"mine": "x"})
	t.Setenv("XDG_CACHE_HOME", cache)
	require.NoError(t, run(t.Context(), []string{"-dry-run", dir, "mem://migrate-dry"}, &bytes.Buffer{}))

	entries, err := os.ReadDir(cache)
	require.NoError(t, err)
	require.Empty(t, entries)
}

// Without arguments, the program migrates the clone of this repository in which it runs, but not the folder .git.
func TestMigrateWithoutArguments(t *testing.T) {
	clone := t.TempDir()
	write(t, clone, map[string]string{
		"go.mod":    "module github.com/omnibucket/storage\n", // by which the program recognizes a clone
		"sub/x":     "x",
		".git/HEAD": "left out",
	})
	t.Chdir(filepath.Join(clone, "sub"))

	output, err := migrate(t)
	require.NoError(t, err)
	require.Contains(t, output, "using a temporary one")
	require.Contains(t, output, "Migration complete: 2 transferred")
}

// Without arguments, the program fails outside of a clone.
func TestMigrateWithoutArgumentsElsewhere(t *testing.T) {
	t.Chdir(t.TempDir())
	_, err := migrate(t)
	require.ErrorContains(t, err, "name a directory")
}

// Invalid arguments are refused.
func TestMigrateRefusesInvalidArguments(t *testing.T) {
	for _, args := range [][]string{
		{"-nonsense"},
		{"a", "b", "c"},
		{"-concurrency", "0", t.TempDir(), "mem://x"},
		{"-include", "[", t.TempDir(), "mem://x"},
		{t.TempDir(), "nonsense://x"},
	} {
		_, err := migrate(t, args...)
		require.Error(t, err, args)
	}
}

// The bar shows how much is done. A plus sign means that the listing continues, so that the total may grow.
func TestBar(t *testing.T) {
	p := transfer.Progress{
		Files:      12,
		TotalFiles: 40,
		Bytes:      5 << 20,
		TotalBytes: 10 << 20,
		Failed:     1,
		Rate:       2 << 20,
		Elapsed:    time.Second,
		Current:    "a\x1b[2Jb",
	}
	line := bar(p)
	require.True(t, strings.HasPrefix(line, "[##########..........]  50%  12/40+ files, 5.0 MiB/10.0 MiB+, 2.0 MiB/s"), line)
	require.LessOrEqual(t, len([]rune(line)), columns)
	require.NotContains(t, line, "\x1b", "the terminal must not execute the name of a file")

	// After the listing, the total is known. A long name of a file is cut.
	p.Listed = true
	p.Current = strings.Repeat("é", 500)
	require.Equal(t, columns, len([]rune(bar(p))))
	require.Contains(t, bar(p), "12/40 files")

	// At first, nothing is known.
	require.Equal(t, "[....................]   0%", bar(transfer.Progress{})[:27])
}

// On a terminal, the bar is drawn again below each printed line.
func TestScreenOnATerminal(t *testing.T) {
	var buf bytes.Buffer
	s := &screen{out: &buf, terminal: true}
	s.progress(transfer.Progress{Files: 1, TotalFiles: 2})
	s.change(false)(transfer.Change{Action: transfer.Failed, Key: "x", Err: storage.Locked})
	s.done()

	const clearLine = "\r\x1b[K"
	drawn := strings.Split(buf.String(), clearLine)
	require.Len(t, drawn, 4)
	firstBar, message, secondBar := drawn[1], drawn[2], drawn[3]
	require.Equal(t, "Failed: \"x\": locked\n", message)
	require.Equal(t, firstBar+"\n", secondBar)
}

// Without a terminal, few of many progress reports are printed: two in twelve seconds.
func TestScreenWithoutATerminal(t *testing.T) {
	var buf bytes.Buffer
	s := newScreen(&buf)
	for elapsed := time.Duration(0); elapsed < 12*time.Second; elapsed += 100 * time.Millisecond {
		s.progress(transfer.Progress{Elapsed: elapsed})
	}
	s.done()
	require.Equal(t, 2, strings.Count(buf.String(), "\n"))
}
