package overlay_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/providers/local"
)

// openDirectories opens two directories as a new and an old store. It returns an overlay of both,
// and each of the two stores.
func openDirectories(t *testing.T, dir string, keepOld bool) (both, newStore, oldStore storage.Bucket) {
	t.Helper()
	open := func(name string, opts ...storage.OpenOption) storage.Bucket {
		b, err := local.Open(dir+"/"+name, local.Config{Create: true}, opts...)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
		return b
	}
	oldStore = open("old")
	both = open("new", driver.WithLayer(newLayer(t, oldStore, overlay.Config{KeepOld: keepOld})))
	return both, open("new"), oldStore
}

// Finish moves the objects of the old store of an overlay to the new one. No object is lost if Finish is killed and
// repeated until it succeeds, while a second Finish and other writers are running.
//
// The test starts itself in child processes, which call Finish and are killed.
func TestFinishKilledLosesNothing(t *testing.T) {
	testserver.Slow(t)

	// In a child process, this variable names the directory of both stores.
	dir := os.Getenv("OMNIBUCKET_OVERLAY_FINISH")
	if dir != "" {
		keepOld := os.Getenv("OMNIBUCKET_OVERLAY_KEEPOLD") != ""
		finishOnce(t, dir, keepOld)
		return
	}

	// By default, Finish removes what has moved from the old store. With KeepOld, the old store stays as it is.
	t.Run("by default", func(t *testing.T) {
		testKillsWhileFinishing(t, nil)
	})
	t.Run("KeepOld", func(t *testing.T) {
		testKillsWhileFinishing(t, []string{"OMNIBUCKET_OVERLAY_KEEPOLD=1"})
	})
}

// finishOnce runs Finish over the stores in a directory, and prints that it succeeded.
func finishOnce(t *testing.T, dir string, keepOld bool) {
	both, _, _ := openDirectories(t, dir, keepOld)
	_, err := overlay.Finish(t.Context(), both, overlay.FinishConfig{Concurrency: 4})
	require.NoError(t, err)
	fmt.Println("all has moved")
}

// testKillsWhileFinishing runs Finish in two processes, and changes objects meanwhile. Each process
// is killed and started again, until its Finish succeeds. The environment is nil, or lets the
// processes keep the old store.
func testKillsWhileFinishing(t *testing.T, environment []string) {
	const objects = 300
	dir := t.TempDir()
	both, newStore, oldStore := openDirectories(t, dir, environment != nil)
	want := map[string]string{}
	for n := range objects {
		key := fmt.Sprintf("%03d", n)
		want[key] = textOf(fmt.Sprint("old ", n))
		put(t, oldStore, key, want[key])
	}
	oldContents := contentsOf(t, oldStore)

	// Each process gets more time than the one before, so the test ends even on a slow machine.
	patience := 20 * time.Millisecond
	processes := 0
	var mu sync.Mutex
	nextPatience := func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		processes++
		patience += patience / 16
		return patience + rand.N(patience)
	}
	var finishing sync.WaitGroup
	for range 2 {
		finishing.Go(func() {
			for finished := false; !finished && !t.Failed(); {
				var err error
				finished, err = finishInProcess(t, dir, environment, nextPatience())
				if err != nil {
					t.Error(err)
				}
			}
		})
	}

	// Objects change until both have finished.
	done := make(chan struct{})
	go func() {
		finishing.Wait()
		close(done)
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		changeOne(t, both, want, fmt.Sprintf("%03d", rand.IntN(objects)))
	}
	t.Log(processes, "processes")

	report, err := overlay.Finish(t.Context(), both, overlay.FinishConfig{})
	require.NoError(t, err)
	require.Zero(t, report.Left+report.Markers)
	require.Equal(t, want, contentsOf(t, both))

	if environment != nil {
		require.Equal(t, oldContents, contentsOf(t, oldStore), "the way back")
		_, err = overlay.Finish(t.Context(), both, overlay.FinishConfig{RemoveTombstones: true})
		require.NoError(t, err)
	}
	require.Equal(t, want, contentsOf(t, newStore), "only the new store is needed")
}

// finishInProcess runs Finish in a process that is killed after some time. It reports whether
// Finish succeeded before the kill. If the process fails in another way, finishInProcess returns an
// error.
func finishInProcess(
	t *testing.T, dir string, environment []string, patience time.Duration,
) (finished bool, err error) {
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run",
		"^TestFinishKilledLosesNothing$", "-test.timeout", "1m")
	child.Env = append(append(os.Environ(), environment...), "OMNIBUCKET_OVERLAY_FINISH="+dir)
	var output bytes.Buffer
	child.Stdout = &output
	child.Stderr = &output
	if err := child.Start(); err != nil {
		return false, err
	}
	kill := time.AfterFunc(patience, func() {
		_ = child.Process.Kill()
	})
	err = child.Wait()
	killed := !kill.Stop()
	if err == nil {
		return true, nil
	}
	if killed {
		return false, nil
	}
	return false, fmt.Errorf("%w: %s", err, &output)
}

// changeOne writes, removes or reads an object that nobody else writes.
func changeOne(t *testing.T, b storage.Bucket, want map[string]string, key string) {
	t.Helper()
	text := textOf(fmt.Sprint("newer ", rand.Uint32()))
	current, exists := want[key]
	switch rand.IntN(5) {
	case 0:
		require.NoError(t, b.Remove(t.Context(), key))
		delete(want, key)
	case 1:
		_, err := b.Upload(t.Context(), key, strings.NewReader(text), storage.IfAbsent())
		require.Equal(t, exists, errors.Is(err, storage.PreconditionFailed), "%v: %v", key, err)
		if !exists {
			require.NoError(t, err)
			want[key] = text
		}
	case 2:
		replace := func(data []byte, _ *storage.Attrs) ([]byte, error) {
			require.Equal(t, current, string(data))
			return []byte(text), nil
		}
		_, err := storage.Update(t.Context(), b, key, replace)
		require.NoError(t, err)
		want[key] = text
	default:
		data, _, err := storage.ReadAll(t.Context(), b, key)
		require.Equal(t, exists, err == nil, "%v: %v", key, err)
		require.Equal(t, current, string(data), key)
	}
}
