package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/transfer"
)

// movesFor names an environment variable. It says how long files are moved to and fro between two
// ends. Before a release, the tests run with 10m.
const movesFor = "OMNIBUCKET_TEST_MOVES"

// movedFiles is the number of files that are moved to and fro.
const movedFiles = 40

// endAt returns the directory with the path t, or the bucket with the address t.
func endAt(t string) (transfer.End, func() error, error) {
	if !strings.Contains(t, "://") {
		return transfer.Dir(t), func() error { return nil }, nil
	}
	b, err := storage.Open(context.Background(), t)
	if err != nil {
		return transfer.End{}, nil, err
	}
	return transfer.Bucket(b), func() error { return storage.Close(b) }, nil
}

// moveOnce moves all files from one end to the other, and returns how many the job has moved. The job may fail for
// files that other jobs move.
func moveOnce(from, to string) (moved int64, err error) {
	src, closeSrc, err := endAt(from)
	if err != nil {
		return 0, err
	}
	dst, closeDst, err := endAt(to)
	if err != nil {
		return 0, err
	}
	report, failure := transfer.Sync(context.Background(), dst, src, transfer.WithMove(), transfer.WithNoSync(),
		transfer.WithConcurrency(4))
	if err := closeSrc(); err != nil {
		return 0, err
	}
	if err := closeDst(); err != nil {
		return 0, err
	}
	if report != nil {
		moved = report.Transferred
	}
	return moved, failure
}

// runMoves moves files from one end to another, again and again, until the process is killed. The
// two lines of the file are the addresses of the ends. After each round, runMoves writes to a
// second file how many files the round has moved.
func runMoves(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	src, dst, _ := strings.Cut(string(text), "\n")
	rounds, err := os.OpenFile(file+roundsSuffix, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer rounds.Close()
	for {
		moved, _ := moveOnce(src, dst) // a file that another job moves fails with Changed
		if _, err := fmt.Fprintln(rounds, moved); err != nil {
			return err
		}
	}
}

// roundsSuffix is the end of the name of the file in which a mover counts its rounds.
const roundsSuffix = ".rounds"

// Processes move files round a circle of directories and buckets, and are killed at any moment.
// Each process moves the files of one address to the next one. No file is lost.
func TestMoveToAndFro(t *testing.T) {
	testserver.Slow(t)
	const killAfter = 400 * time.Millisecond // about the longest time between two kills
	newLocalAddress := func() string { return "file://" + t.TempDir() + "?sync=false" }
	circles := map[string][]string{
		"directories":              {t.TempDir(), t.TempDir()},
		"a circle of directories":  {t.TempDir(), t.TempDir(), t.TempDir()},
		"local buckets":            {newLocalAddress(), newLocalAddress()},
		"a directory and a bucket": {t.TempDir(), newLocalAddress()},
		"directories and a bucket": {t.TempDir(), t.TempDir(), newLocalAddress()},
	}

	for name, addresses := range circles {
		t.Run(name, func(t *testing.T) {
			moveAndKill(t, addresses, killAfter)
		})
	}
}

// moveAndKill runs processes that move files from each address to the next, in a circle. After
// random times of at most about killAfter, it kills one of the processes and starts it again. At
// the end, it requires that all files can be moved to the first address.
func moveAndKill(t *testing.T, addresses []string, killAfter time.Duration) {
	t.Helper()
	end := time.Now().Add(movingTime(t))
	want := plantMoved(t, addresses[0])
	seed := rand.New(rand.NewPCG(3, 1))
	movers := make([]*mover, 0, len(addresses))
	for i, src := range addresses {
		movers = append(movers, newMover(t, src, addresses[(i+1)%len(addresses)]))
	}

	kills := 0
	for time.Now().Before(end) {
		timer := time.NewTimer(20*time.Millisecond + time.Duration(seed.Int64N(int64(killAfter))))
		<-timer.C
		m := movers[seed.IntN(len(movers))]
		m.kill()
		m.start()
		kills++
	}
	for _, m := range movers {
		m.kill()
	}

	for _, address := range addresses[1:] {
		_, err := moveOnce(address, addresses[0])
		require.NoError(t, err)
	}

	// A killed move may leave a file under a private name in a directory. The next move from this
	// directory finds the file, and gives it its name back.
	rest := t.TempDir()
	_, err := moveOnce(addresses[0], rest)
	require.NoError(t, err)
	files := fingerprints(t, rest)
	rounds, moved := 0, 0
	for _, m := range movers {
		r, n := m.counted()
		rounds += r
		moved += n
	}
	t.Logf(
		"%d kills; %d whole rounds, which moved %d files; %d files have a second name",
		kills, rounds, moved, len(files)-len(want),
	)

	for key := range want {
		assert.Equal(t, want[key], files[key], "%s is lost or changed", key)
	}
}

// movingTime returns how long the processes move files around.
func movingTime(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv(movesFor)
	if text == "" {
		return 2 * time.Second
	}
	long, err := time.ParseDuration(text)
	require.NoError(t, err)
	return long
}

// plantMoved stores files in a bucket or a directory, and returns their fingerprints.
func plantMoved(t *testing.T, at string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for i := range movedFiles {
		files[fmt.Sprintf("%d/%d", i%5, i)] = fmt.Sprintf("file %d", i)
	}
	dir := newTree(t, files)
	want := fingerprints(t, dir)
	_, err := moveOnce(dir, at)
	require.NoError(t, err)
	return want
}

// A mover is a process that moves files from one end to another until it is killed.
type mover struct {
	t       *testing.T
	job     string
	process *exec.Cmd
}

// newMover starts a process that moves files from src to dst again and again, and kills it at the end of the test.
func newMover(t *testing.T, src, dst string) *mover {
	t.Helper()
	m := &mover{t: t, job: filepath.Join(t.TempDir(), "job")}
	require.NoError(t, os.WriteFile(m.job, []byte(src+"\n"+dst), 0o600))
	m.start()
	t.Cleanup(m.kill)
	return m
}

// start starts a process that runs the job.
func (m *mover) start() {
	program, err := os.Executable()
	require.NoError(m.t, err)
	m.process = exec.Command(program)
	m.process.Env = append(os.Environ(), childVariable+"=moves:"+m.job)
	require.NoError(m.t, m.process.Start())
}

// counted returns the number of whole rounds, and how many files these have moved. If each process
// was killed during its first round, the file with the counts does not exist.
func (m *mover) counted() (rounds, moved int) {
	text, err := os.ReadFile(m.job + roundsSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, 0
	}
	require.NoError(m.t, err)
	for line := range strings.Lines(string(text)) {
		n, err := strconv.Atoi(strings.TrimSpace(line))
		require.NoError(m.t, err)
		rounds++
		moved += n
	}
	return rounds, moved
}

// kill ends the process, if there is one.
func (m *mover) kill() {
	if m.process == nil {
		return
	}
	_ = m.process.Process.Kill() // fails if it has ended
	_ = m.process.Wait()
	m.process = nil
}
