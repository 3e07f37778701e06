package transfer_test

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/transfer"
)

const (
	// kills is how often a job is killed before it may finish.
	kills = 20
	// A job is killed after at most killWithin files. By then, some jobs have begun their download,
	// and no job has finished it.
	killWithin = 30
	// killLater is the longest additional time before a job is killed. Because of it, kills come in
	// the middle of files.
	killLater = 2 * time.Millisecond
)

// A killedJob is a directory with a tree of files. Processes upload this tree to a local bucket and
// download it again, and are killed. The directory also has the bucket and the downloaded tree.
type killedJob string

func (k killedJob) tree() string   { return filepath.Join(string(k), "tree") }
func (k killedJob) bucket() string { return filepath.Join(string(k), "bucket") }
func (k killedJob) down() string   { return filepath.Join(string(k), "down") }
func (k killedJob) log() string    { return filepath.Join(string(k), "log") }

// runKilled runs the job of a killedJob. The job logs each transferred file.
func runKilled(dir string) error {
	k := killedJob(dir)
	log, err := os.OpenFile(k.log(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return k.run(log)
}

// run uploads the tree and downloads it again. It logs each transferred file. When it begins, and
// after each file, it also prints a line. By these lines, the parent process can choose a moment to
// kill it.
func (k killedJob) run(log *os.File) error {
	b, err := local.Open(k.bucket(), local.Config{Create: true})
	if err != nil {
		return err
	}
	logged := func(way string) transfer.Option {
		return transfer.WithChanges(func(c transfer.Change) {
			// Write the line by one call, so that a kill never leaves half of it.
			_, _ = fmt.Fprintf(log, "%s %s %q\n", way, c.Action, c.Key)
			fmt.Println(way)
		})
	}

	ctx := context.Background()
	fmt.Println("begun")
	if _, err := transfer.Upload(ctx, b, k.tree(), logged("up"), transfer.WithConcurrency(3)); err != nil {
		return err
	}
	_, err = transfer.Download(ctx, b, k.down(), logged("down"), transfer.WithConcurrency(3))
	return err
}

// A job is killed again and again. When it may finish at last, its result is complete.
func TestJobKilledIsRepeated(t *testing.T) {
	testserver.Slow(t)

	// The job uploads a tree to a bucket, and downloads it again to another tree.
	k := killedJob(t.TempDir())
	seed := rand.New(rand.NewPCG(4, 4))
	files := map[string]string{"large": randomText(seed, 24<<20)}
	for i := range 300 {
		files[fmt.Sprintf("%d/%d", i%7, i)] = randomText(seed, seed.IntN(60_000))
	}
	writeFiles(t, k.tree(), files)

	// Kill the job at random moments. Some of these must be in its upload.
	interrupted := map[string]int{} // kills in the upload ("up") and in the download ("down")
	for range kills {
		afterFiles := seed.IntN(killWithin)
		delay := time.Duration(seed.Int64N(int64(killLater)))
		wasRunning := k.startAndKill(t, afterFiles, delay)
		if wasRunning {
			interrupted[k.way(t)]++
		}

		// Each downloaded file must be complete.
		k.requireNothingTorn(t)
	}
	require.Positive(t, interrupted["up"])

	// Then let the job finish.
	output, err := k.command(t).CombinedOutput()
	require.NoError(t, err, string(output))
	want := fingerprints(t, k.tree())
	require.Equal(t, want, fingerprints(t, k.down()))

	k.requireTransferredOnce(t)
	require.Empty(t, hiddenFiles(t, k.down()), "killed processes have left files")

	// Temporary files of killed processes are not visible.
	b, err := local.Open(k.bucket(), local.Config{})
	require.NoError(t, err)
	defer func() {
		require.NoError(t, storage.Close(b))
	}()
	require.Len(t, contents(t, b), len(want))
}

// hiddenFiles returns the temporary files below dir.
func hiddenFiles(t *testing.T, dir string) (paths []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if strings.HasPrefix(d.Name(), ".omnibucket-") {
			paths = append(paths, path)
		}
		return err
	}))
	return paths
}

// command returns the command that runs the job in a child process. The child is this test binary.
func (k killedJob) command(t *testing.T) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), childVariable+"=killed:"+string(k))
	return cmd
}

// startAndKill starts the job in a process. It waits until the process has transferred this number
// of files, waits for the delay, and kills the process. It returns false if the process had already
// ended.
func (k killedJob) startAndKill(t *testing.T, files int, delay time.Duration) bool {
	t.Helper()
	cmd := k.command(t)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())

	// The process prints a line when it begins, and one after each file.
	scanner := bufio.NewScanner(stdout)
	require.True(t, scanner.Scan())
	for range files {
		scanner.Scan()
	}

	timer := time.NewTimer(delay)
	defer timer.Stop()
	<-timer.C
	_ = cmd.Process.Kill() // fails if it has ended
	return cmd.Wait() != nil
}

// way returns the direction in which the job worked last: "up" or "down". The log has it as the
// first word of a line.
func (k killedJob) way(t *testing.T) string {
	t.Helper()
	log, err := os.ReadFile(k.log())
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	way, _, _ := strings.Cut(lines[len(lines)-1], " ")
	return way
}

// requireTransferredOnce requires that no file was transferred twice. All processes write their
// transfers to one log.
func (k killedJob) requireTransferredOnce(t *testing.T) {
	t.Helper()
	log, err := os.ReadFile(k.log())
	require.NoError(t, err)
	logged := map[string]bool{}
	for line := range strings.Lines(string(log)) {
		require.False(t, logged[line], "done twice: %s", line)
		require.Contains(t, line, " transferred ")
		logged[line] = true
	}
}

// requireNothingTorn requires that each downloaded file is complete.
func (k killedJob) requireNothingTorn(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(k.down()); err != nil {
		return
	}
	want := fingerprints(t, k.tree())
	for key, sum := range fingerprints(t, k.down()) {
		require.Equal(t, want[key], sum, key)
	}
}
