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

// openDirectories opens a new and an old store in a directory.
func openDirectories(t *testing.T, dir string, keepOld bool) (both, alone, old storage.Bucket) {
	t.Helper()
	open := func(name string, opts ...storage.OpenOption) storage.Bucket {
		b, err := local.Open(dir+"/"+name, local.Config{Create: true}, opts...)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
		return b
	}
	old = open("old")
	return open("new", driver.WithLayer(newLayer(t, old, overlay.Config{KeepOld: keepOld}))), open("new"), old
}

// If Finish is killed and repeated until it succeeds, beside a second Finish and other writers, no object is lost.
func TestFinishKilledLosesNothing(t *testing.T) {
	testserver.Slow(t)
	if dir := os.Getenv("OMNIBUCKET_OVERLAY_FINISH"); dir != "" {
		both, _, _ := openDirectories(t, dir, os.Getenv("OMNIBUCKET_OVERLAY_KEEPOLD") != "")
		_, err := overlay.Finish(t.Context(), both, overlay.FinishConfig{Concurrency: 4})
		require.NoError(t, err)
		fmt.Println("all has moved")
		return
	}
	t.Run("by default", func(t *testing.T) {
		testKillsWhileFinishing(t, nil)
	})
	t.Run("KeepOld", func(t *testing.T) {
		testKillsWhileFinishing(t, []string{"OMNIBUCKET_OVERLAY_KEEPOLD=1"})
	})
}

func testKillsWhileFinishing(t *testing.T, environment []string) {
	const objects = 300
	dir := t.TempDir()
	both, alone, old := openDirectories(t, dir, environment != nil)
	want := map[string]string{}
	for n := range objects {
		want[fmt.Sprintf("%03d", n)] = textOf(fmt.Sprint("old ", n))
		put(t, old, fmt.Sprintf("%03d", n), want[fmt.Sprintf("%03d", n)])
	}
	values := contentsOf(t, old)
	kills := 0
	patience := 20 * time.Millisecond
	var moved sync.WaitGroup
	var mu sync.Mutex
	for range 2 {
		moved.Go(func() {
			for finished := false; !finished && !t.Failed(); {
				child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestFinishKilledLosesNothing$", "-test.timeout", "1m")
				child.Env = append(append(os.Environ(), environment...), "OMNIBUCKET_OVERLAY_FINISH="+dir)
				var buf bytes.Buffer
				child.Stdout = &buf
				child.Stderr = &buf
				if err := child.Start(); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				kill := time.AfterFunc(patience+rand.N(patience), func() {
					_ = child.Process.Kill()
				})
				patience += patience / 16 // so that the test ends on a slow machine
				mu.Unlock()
				err := child.Wait()
				finished = err == nil
				if killed := !kill.Stop(); err != nil && !killed {
					t.Errorf("%v: %s", err, &buf)
				}
				mu.Lock()
				kills++
				mu.Unlock()
			}
		})
	}

	done := make(chan struct{})
	go func() {
		moved.Wait()
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

	t.Log(kills, "processes")
	report, err := overlay.Finish(t.Context(), both, overlay.FinishConfig{})
	require.NoError(t, err)
	require.Zero(t, report.Left+report.Markers)
	require.Equal(t, want, contentsOf(t, both))

	if environment != nil {
		require.Equal(t, values, contentsOf(t, old), "the way back")
		_, err = overlay.Finish(t.Context(), both, overlay.FinishConfig{RemoveTombstones: true})
		require.NoError(t, err)
	}
	require.Equal(t, want, contentsOf(t, alone), "only the new store is needed")
}

// changeOne writes, removes or reads an object of which nobody else writes.
func changeOne(t *testing.T, b storage.Bucket, want map[string]string, key string) {
	t.Helper()
	text := textOf(fmt.Sprint("newer ", rand.Uint32()))
	was, exists := want[key]
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
		_, err := storage.Update(t.Context(), b, key, func(data []byte, attrs *storage.Attrs) ([]byte, error) {
			require.Equal(t, was, string(data))
			return []byte(text), nil
		})
		require.NoError(t, err)
		want[key] = text
	default:
		data, _, err := storage.ReadAll(t.Context(), b, key)
		require.Equal(t, exists, err == nil, "%v: %v", key, err)
		require.Equal(t, was, string(data), key)
	}
}
