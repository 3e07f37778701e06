package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/stretchr/testify/require"
)

// Calls that together need more files than the process may open wait for each other, and none fails.
func TestOpenFilesManyCalls(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the system has no such limit")
	}
	tests := []struct {
		name          string
		limit         int // of open files
		held          int // files that the rest of the program has open
		callingBodies int
	}{
		{name: "a limit of 256", limit: 256, held: 0, callingBodies: 100},
		{name: "a limit of 64", limit: 64, held: 0, callingBodies: 100},

		// If the rest of the program has more than half of the files open, bodies that make calls themselves could need
		// all others: see the comment at the start of bucketdir/openfiles.go. So this case has few such bodies.
		{name: "a limit of 256, of which others have 220", limit: 256, held: 220, callingBodies: 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			// A process of its own, with the limit, makes the calls.
			const runWithLimit = `ulimit -n "$0" && exec "$1"`
			cmd := exec.CommandContext(t.Context(), "sh", "-c", runWithLimit, strconv.Itoa(tt.limit), os.Args[0])
			cmd.Env = append(os.Environ(),
				roleVariable+"=crowd",
				rootVariable+"="+t.TempDir(),
				textVariable+"="+fmt.Sprint(tt.held, tt.callingBodies))
			output, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", output)
		})
	}
}

// crowd makes each kind of call 2,000 times at once. The argument numbers consists of two numbers: of files that the
// program has open meanwhile, and of uploads whose bodies make calls.
func crowd(d *objectDriver, numbers string) error {
	const n = 2000
	var ownBodies, callingBodies int
	if _, err := fmt.Sscan(numbers, &ownBodies, &callingBodies); err != nil {
		return err
	}
	for range ownBodies {
		f, err := os.Open(os.Args[0])
		if err != nil {
			return err
		}
		defer f.Close()
	}
	// Without retries of the engine, a call fails if it does not wait for files itself.
	b := engine.New(d, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
	ctx := context.Background()
	key := func(i int) string { return fmt.Sprintf("d%d/e%d/%d", i%10, i%7, i) }
	content := []byte("some content")
	tests := []struct {
		name string
		do   func(i int) error
	}{
		{
			name: "Upload",
			do:   func(i int) error { return errorOf(b.Upload(ctx, key(i), bytes.NewReader(content))) },
		},
		{
			name: "Upload of a stream",
			do: func(i int) error {
				return errorOf(b.Upload(ctx, key(i), io.MultiReader(bytes.NewReader(content))))
			},
		},
		{
			name: "Upload of a body that makes calls",
			do: func(i int) error {
				if i >= callingBodies {
					return nil
				}
				return errorOf(b.Upload(ctx, "outer/"+key(i), &callingBody{func() error {
					_, _, err := storage.ReadAll(ctx, b, key(i))
					return errors.Join(err, errorOf(b.Upload(ctx, "inner/"+key(i), bytes.NewReader(content))))
				}, bytes.NewReader(content)}))
			},
		},
		{
			name: "ReadAll",
			do: func(i int) error {
				_, _, err := storage.ReadAll(ctx, b, key(i))
				return err
			},
		},
		{name: "Attrs", do: func(i int) error { return errorOf(b.Attrs(ctx, key(i))) }},
		{
			name: "List",
			do: func(i int) error {
				for _, err := range b.List(ctx, storage.WithPrefix(fmt.Sprintf("d%d/", i%10)), storage.WithLimit(20)) {
					if err != nil {
						return err
					}
				}
				return nil
			},
		},
		{
			name: "ListUploads",
			do: func(i int) error {
				for _, err := range storage.ListUploads(ctx, b, storage.WithPrefix(fmt.Sprintf("d%d/", i%10))) {
					if err != nil {
						return err
					}
				}
				return nil
			},
		},
		{
			name: "Copy",
			do:   func(i int) error { return errorOf(storage.Copy(ctx, b, "copy/"+key(i), b, key(i))) },
		},
		{name: "Remove", do: func(i int) error { return b.Remove(ctx, key(i)) }},
	}
	for _, tt := range tests {
		errs := make([]error, n)
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				errs[i] = tt.do(i)
			})
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			first, _, _ := strings.Cut(err.Error(), "\n")
			return fmt.Errorf("%s: %d failed: %s", tt.name, strings.Count(err.Error(), "\n")+1, first)
		}
	}
	return nil
}

// A callingBody makes calls before its first byte.
type callingBody struct {
	call func() error
	io.Reader
}

// Read makes the calls, if it has not made them yet, and reads.
func (c *callingBody) Read(p []byte) (int, error) {
	if call := c.call; call != nil {
		c.call = nil
		if err := call(); err != nil {
			return 0, err
		}
	}
	return c.Reader.Read(p)
}

// If the process or the machine has too many files open, Retry repeats a call until it can open a file. It waits
// between the attempts.
func TestRetryWaitsForFile(t *testing.T) {
	for _, code := range []error{syscall.EMFILE, syscall.ENFILE} {
		noFileLeft := bucketdir.WrapError(&os.PathError{Op: "open", Path: "x", Err: code})
		synctest.Test(t, func(t *testing.T) {
			// A call succeeds soon after the process can open a file again, which is after ten seconds.
			const wait = 10 * time.Second
			start := time.Now()
			attempts := 0
			require.NoError(t, bucketdir.Retry(t.Context(), func() error {
				attempts++
				if time.Since(start) < wait {
					return noFileLeft
				}
				return nil
			}))
			require.Less(t, time.Since(start), wait+2*bucketdir.MaxFileDelay)
			require.Less(t, attempts, 200, "Retry must wait between attempts")

			// Retry gives up after FileWait.
			start = time.Now()
			err := bucketdir.Retry(t.Context(), func() error { return noFileLeft })
			require.ErrorIs(t, err, storage.RateLimited)
			require.ErrorIs(t, err, code)
			require.InDelta(t, bucketdir.FileWait.Seconds(), time.Since(start).Seconds(), 1)

			// The wait ends with its ctx.
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start = time.Now()
			require.Error(t, bucketdir.Retry(ctx, func() error { return noFileLeft }))
			require.Equal(t, time.Second, time.Since(start))

			// A call that may have taken effect is not repeated.
			attempts = 0
			err = bucketdir.Retry(t.Context(), func() error {
				attempts++
				return bucketdir.UnknownOutcome(noFileLeft)
			})
			require.ErrorIs(t, err, storage.OutcomeUnknown)
			require.Equal(t, 1, attempts)
		})
	}
}
