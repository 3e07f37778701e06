package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// All shards of sync together do what one sync does.
func TestSyncShardsAddUp(t *testing.T) {
	const shards = 3
	s := newShell(t)
	dir := t.TempDir()
	files := map[string]string{}
	for i := range 30 {
		files[fmt.Sprintf("%d/%d", i%3, i)] = "x"
	}
	writeFiles(t, dir, files)

	bucket := newMemoryAddress(t)
	// One of the shards must delete this object.
	s.put(bucket+"/gone/1", "x")

	transferred := 0
	deleted := 0
	for i := range shards {
		_, report := s.runSync("--delete", "--shard", fmt.Sprintf("%d/%d", i, shards), dir, bucket)
		transferred += numberBefore(t, report, "transferred")
		deleted += numberBefore(t, report, "deleted")
	}

	require.Equal(t, len(files), transferred)
	require.Equal(t, 1, deleted, "the object gone/1")
	require.Len(t, splitLines(s.run("ls", "-r", bucket)), len(files))
}

// A shard must be an index and a number of shards, such as 0/3.
func TestSyncShardInvalid(t *testing.T) {
	s := newShell(t)
	for _, shard := range []string{"", "3", "3/3", "-1/3", "1/0", "a/b", "1/3/4"} {
		s.requireExit(exitUsage, "sync", "--shard", shard, t.TempDir(), newMemoryAddress(t))
	}
}

// The command "job split" divides keys into ranges. If sync uses these ranges as its shards, all
// shards together do what one sync does.
func TestSyncShardsOfKeyRanges(t *testing.T) {
	const files = 40
	const shards = 4
	s := newShell(t)
	src := newMemoryAddress(t) + "/src"
	dst := newMemoryAddress(t) + "/dst"
	for i := range files {
		s.put(fmt.Sprintf("%s/in/%02d", src, i), "x")
	}
	s.put(dst+"/in/gone", "x") // One of the shards must delete this object.

	// Divide the keys of the source into ranges.
	boundsFile := filepath.Join(t.TempDir(), "bounds.json")
	bounds := s.run("job", "split", strconv.Itoa(shards), src+"/in/")
	require.NoError(t, os.WriteFile(boundsFile, []byte(bounds), 0o600))

	// Sync one range after the other.
	transferred := 0
	deleted := 0
	for i := range shards {
		shard := fmt.Sprintf("%d/%d", i, shards)
		_, report := s.runSync("--delete", "--shard", shard, "--shard-bounds", boundsFile, src+"/in/", dst+"/in/")
		// Each range has nearly the same number of objects.
		require.InDelta(t, files/shards, numberBefore(t, report, "transferred"), 1)
		transferred += numberBefore(t, report, "transferred")
		deleted += numberBefore(t, report, "deleted")
	}
	require.Equal(t, files, transferred)
	require.Equal(t, 1, deleted, "the object gone")
	require.Len(t, splitLines(s.run("ls", "-r", dst+"/in/")), files)
}

// The file of --shard-bounds must be one that job split has written for the same number of shards.
func TestSyncShardsOfKeyRangesInvalid(t *testing.T) {
	s := newShell(t)
	src := newMemoryAddress(t) + "/src"
	dst := newMemoryAddress(t) + "/dst"
	s.put(src+"/in/a", "x")

	// bounds.json has the bounds of four shards, and notbounds.txt has no bounds.
	dir := t.TempDir()
	bounds := filepath.Join(dir, "bounds.json")
	require.NoError(t, os.WriteFile(bounds, []byte(s.run("job", "split", "4", src+"/in/")), 0o600))
	notBounds := filepath.Join(dir, "notbounds.txt")
	require.NoError(t, os.WriteFile(notBounds, []byte("x"), 0o600))

	tests := []struct {
		name     string
		wantExit int
		args     []string
	}{
		{name: "another number of shards", wantExit: exitUsage, args: []string{"--shard", "0/5", "--shard-bounds", bounds}},
		{name: "without --shard", wantExit: exitUsage, args: []string{"--shard-bounds", bounds}},
		{name: "another file", wantExit: exitUsage, args: []string{"--shard", "0/4", "--shard-bounds", notBounds}},
		{name: "no file", wantExit: exitUsage, args: []string{"--shard", "0/4", "--shard-bounds", ""}},
		{
			name:     "a missing file",
			wantExit: exitNotFound,
			args:     []string{"--shard", "0/4", "--shard-bounds", bounds + "x"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			s.requireExit(tt.wantExit, append(append([]string{"sync"}, tt.args...), src, dst)...)
		})
	}
}

// job split returns empty bounds for an empty folder, and refuses 0 shards.
func TestJobSplitOfAnEmptyFolder(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.put(bucket+"/in/a", "x")
	require.Equal(t, `["","",""]`+"\n", s.run("job", "split", "4", bucket+"/empty/"))
	s.requireExit(exitUsage, "job", "split", "0", bucket)
}

// slurmTask returns the variables that Slurm sets for one task of an array. The ids of the array
// are first, first+step, and so on.
func slurmTask(id, first, step, count string) map[string]string {
	return map[string]string{
		"SLURM_ARRAY_TASK_ID":    id,
		"SLURM_ARRAY_TASK_MIN":   first,
		"SLURM_ARRAY_TASK_STEP":  step,
		"SLURM_ARRAY_TASK_COUNT": count,
	}
}

// With --shard auto, sync takes the index and the number of its shard from the variables that a scheduler sets.
func TestSyncShardsByScheduler(t *testing.T) {
	tests := []struct {
		name      string
		env       map[string]string
		shard     string // value of --shard
		sameShard string // the same shard as INDEX/NUMBER
	}{
		// The arguments of slurmTask are the id of the task, and the first id, the step and the
		// number of ids of its array.
		{
			name:      "Slurm, ids 0, 1 and 2",
			env:       slurmTask("2", "0", "1", "3"),
			shard:     "auto",
			sameShard: "2/3",
		},
		{
			name:      "Slurm, ids 10, 20 and 30",
			env:       slurmTask("20", "10", "10", "3"),
			shard:     "auto",
			sameShard: "1/3",
		},
		{
			name:      "Slurm, only id 2",
			env:       slurmTask("2", "2", "1", "1"),
			shard:     "auto",
			sameShard: "0/1",
		},
		{
			name:      "AWS Batch",
			env:       map[string]string{"AWS_BATCH_JOB_ARRAY_INDEX": "0", "AWS_BATCH_JOB_ARRAY_SIZE": "3"},
			shard:     "auto",
			sameShard: "0/3",
		},
		{
			name:      "Cloud Run",
			env:       map[string]string{"CLOUD_RUN_TASK_INDEX": "1", "CLOUD_RUN_TASK_COUNT": "3"},
			shard:     "auto",
			sameShard: "1/3",
		},
		{
			name:      "Kubernetes, which sets only the index",
			env:       map[string]string{"JOB_COMPLETION_INDEX": "2"},
			shard:     "auto/3",
			sameShard: "2/3",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShell(t)
			dir := t.TempDir()
			writeFiles(t, dir, map[string]string{"a": "1", "b": "2", "c": "3", "d": "4", "e": "5", "f": "6"})
			dst := newMemoryAddress(t)
			want := newMemoryAddress(t) + "-want"

			maps.Copy(s.env, tt.env)
			s.run("-q", "sync", "--shard", tt.shard, "--journal", t.TempDir(), dir, dst)

			// A run with --shard INDEX/NUMBER copies the same files.
			s.run("-q", "sync", "--shard", tt.sameShard, dir, want)
			require.Equal(t, s.run("ls", "-r", want), s.run("ls", "-r", dst))
		})
	}
}

// sync refuses --shard auto if the variables of the scheduler do not say which shard this process
// has.
func TestSyncShardsBySchedulerRefused(t *testing.T) {
	tests := []struct {
		name  string
		env   map[string]string
		shard string
	}{
		{name: "no scheduler", env: nil, shard: "auto"},

		// The arguments of slurmTask are the id of the task, and the first id, the step and the
		// number of ids of its array.
		{name: "Slurm, id after the last one", env: slurmTask("7", "1", "1", "3"), shard: "auto"},
		{name: "Slurm, id between two steps", env: slurmTask("4", "1", "2", "3"), shard: "auto"},

		{name: "index without a number", env: map[string]string{"JOB_COMPLETION_INDEX": "2"}, shard: "auto"},
		{name: "index equal to the number", env: map[string]string{"JOB_COMPLETION_INDEX": "3"}, shard: "auto/3"},
		{name: "empty index", env: map[string]string{"JOB_COMPLETION_INDEX": ""}, shard: "auto/3"},
		{
			name:  "slash without a number",
			env:   map[string]string{"CLOUD_RUN_TASK_INDEX": "1", "CLOUD_RUN_TASK_COUNT": "3"},
			shard: "auto/",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShell(t)
			maps.Copy(s.env, tt.env)
			s.requireExit(exitUsage, "sync", "--shard", tt.shard, t.TempDir(), newMemoryAddress(t))
		})
	}
}

// The status of a job adds up its shards, even if some have not begun or have failed.
func TestJobStatusAddsUpShards(t *testing.T) {
	const files = 40
	const shards = 4
	s := newShell(t)
	dir := t.TempDir()
	journals := filepath.Join(t.TempDir(), "journals")
	dst := newMemoryAddress(t)
	for i := range files {
		writeFiles(t, dir, map[string]string{strconv.Itoa(i): "12345"})
	}
	status := func() string { return s.run("job", "status", journals) }
	syncCommand := func(shard int) []string {
		return []string{"-q", "sync", "--journal", journals, "--shard", fmt.Sprintf("%d/%d", shard, shards), dir, dst}
	}

	// At first, no shard has run, and the job has no status.
	s.requireExit(exitNotFound, "job", "status", journals)
	require.NoDirExists(t, journals)

	// After two of the four shards, the status says that two are done.
	s.run(syncCommand(0)...)
	s.run(syncCommand(1)...)
	require.Contains(t, status(), "4: 2 done, 0 begun")

	// A file has a name that cannot be a key, so the shard with this file fails.
	s.env["OMNIBUCKET_FLAG_RETRIES"] = "0"
	invalidName := filepath.Join(dir, "invalid\xff")
	require.NoError(t, os.WriteFile(invalidName, nil, 0o600))
	failures := 0
	for i := range shards {
		if run(t.Context(), syncCommand(i), s.environment(nil, io.Discard, io.Discard)) != 0 {
			failures++
		}
	}
	require.NotZero(t, failures)
	require.Contains(t, status(), fmt.Sprintf("4: %d done, %d begun", shards-failures, failures))

	// Without this file, all shards succeed.
	require.NoError(t, os.Remove(invalidName))
	for i := range shards {
		s.run(syncCommand(i)...)
	}
	require.Contains(t, status(), "4: 4 done, 0 begun")
	require.Regexp(t, `files +\d+ transferred`, status())
	require.Contains(t, s.run("--json", "job", "status", journals), `"shards":4,"done":4,"begun":0`)

	// The same job without shards counts as one shard.
	s.run("-q", "sync", "--journal", journals, dir, dst)
	require.Contains(t, status(), "1: 1 done, 0 begun")
	require.Contains(t, status(), "40 the same")
}

// Different spellings of the address of a directory name one job.
func TestJobOfADirectoryAddress(t *testing.T) {
	s := newShell(t)
	src := newDirectoryAddress(t)
	dst := newMemoryAddress(t)
	journals := filepath.Join(t.TempDir(), "journals")
	s.put(src+"#a", "x")

	address, parameters, _ := strings.Cut(src, "?")
	for _, source := range []string{src, address + "/?" + parameters, address + "/.?" + parameters} {
		s.run("-q", "sync", "--journal", journals, source, dst)
	}

	require.Len(t, splitLines(s.run("--json", "job", "status", journals)), 1)
}

// numberBefore returns the number before a word in a report, or 0 if there is none.
func numberBefore(t *testing.T, report, word string) int {
	t.Helper()
	match := regexp.MustCompile(`(\d+) ` + word).FindStringSubmatch(report)
	if match == nil {
		return 0
	}
	n, err := strconv.Atoi(match[1])
	require.NoError(t, err)
	return n
}

// A lineCanceler is a writer that cancels a context after some lines.
type lineCanceler struct {
	lines  int
	cancel func()
}

func (w *lineCanceler) Write(data []byte) (int, error) {
	w.lines -= strings.Count(string(data), "\n")
	if w.lines <= 0 {
		w.cancel()
	}
	return len(data), nil
}

// The journal of sync is a record of the finished files. If a sync with a journal is interrupted,
// the next one continues where it ended.
func TestSyncJournalContinues(t *testing.T) {
	const files = 1200
	s := newShell(t)
	src := t.TempDir()
	dst := newMemoryAddress(t)
	journals := filepath.Join(t.TempDir(), "new", "journals")
	// Long names fill the buffer of the output, so the program writes the output before the end.
	longName := strings.Repeat("x", 200)
	tree := map[string]string{}
	for i := range files {
		tree[fmt.Sprintf("%04d%s", i, longName)] = "x"
	}
	writeFiles(t, src, tree)

	// The first sync is interrupted as soon as it has printed a line.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	args := []string{"sync", "-v", "--concurrency", "1", "--journal", journals, "--shard", "0/1", src, dst}
	interruptAfterALine := &lineCanceler{lines: 1, cancel: cancel}
	require.Equal(t, exitInterrupted, run(ctx, args, s.environment(nil, interruptAfterALine, io.Discard)))
	journalFiles, err := filepath.Glob(filepath.Join(journals, "journal-????????????????-0-of-1.json"))
	require.NoError(t, err)
	require.Len(t, journalFiles, 1)

	// The second sync finishes the job. The first file was transferred before the interruption.
	stdout, stderr := s.requireExit(exitOK, args...)
	require.Equal(t, files, numberBefore(t, stderr, "transferred")+numberBefore(t, stderr, "the same"))
	require.NotContains(t, stdout, "transferred 0000")
	require.Len(t, splitLines(s.run("ls", "-r", dst)), files)
}

// The folder of --journal cannot be standard input.
func TestSyncJournalIsNoStream(t *testing.T) {
	newShell(t).requireExit(exitUsage, "sync", "--journal", "-", t.TempDir(), newMemoryAddress(t))
}
