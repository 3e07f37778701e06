package storagetest

import (
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/faults"
)

var retryCases = []Case{
	{
		Name: "a temporary failure is retried", Rule: "T1",
		Explanation: "reads and writes that can be replayed follow the same policy, also after 429",
		run: func(t *T) {
			b := t.open()
			t.put(b, "k", "x")
			for _, failure := range []error{storage.Unavailable, storage.RateLimited, &storage.Error{Code: storage.Unavailable}, &storage.Error{Code: storage.Internal, Retryable: true}, io.ErrUnexpectedEOF} {
				for name, err := range map[string]func() error{
					"Upload": func() error { return second(b.Upload(t.Context(), "k", strings.NewReader("x"))) },
					"stream": func() error { return second(b.Upload(t.Context(), "k", stream("x"))) },
					"Attrs":  func() error { return second(b.Attrs(t.Context(), "k")) },
					"Remove": func() error { return b.Remove(t.Context(), "other") },
					"List":   func() error { return second(storage.ListPage(t.Context(), b, "")) },
					"Read":   func() error { return second(firstOf3(storage.ReadAll(t.Context(), b, "k"))) },
					"Copy":   func() error { return second(storage.Copy(t.Context(), b, "to", b, "k")) },
				} {
					t.faults.Set(faults.Fail(faults.Any).Nth(1).WithError(failure))
					require.NoError(t, err(), "%s after %v", name, failure)
				}
			}
		},
	},
	{
		Name: "a permanent failure is not retried", Rule: "T1",
		Explanation: "a refusal is returned at once",
		run: func(t *T) {
			b := t.open()
			for _, code := range []storage.Code{
				storage.PermissionDenied, storage.Unauthenticated, storage.BucketNotFound, storage.Locked, storage.TooLarge, storage.Internal,
			} {
				t.faults.Set(faults.Fail(faults.Any).WithError(code))
				require.Equal(t, 1, t.countRequests(func() {
					_, err := b.Upload(t.Context(), "k", strings.NewReader("x"))
					t.requireNothingDone(err, code)
				}), "%s", code)
				require.Equal(t, 1, t.countRequests(func() {
					_, err := b.Attrs(t.Context(), "k")
					t.requireCode(err, code)
				}), "%s", code)
			}
		},
	},
	{
		Name: "the policy sets the number of attempts", Rule: "T1",
		Explanation: "one attempt disables retries, and the last error is Retryable",
		run: func(t *T) {
			for _, attempts := range []int{1, 3} {
				b := t.open(storage.WithRetry(storage.RetryPolicy{Attempts: attempts, MaxDelay: time.Millisecond}))
				t.faults.Set(faults.Fail(faults.Any))
				require.Equal(t, attempts, t.countRequests(func() {
					_, err := b.Attrs(t.Context(), "k")
					require.True(t, t.requireCode(err, storage.Unavailable).Retryable)
				}))
				require.Equal(t, attempts, t.countRequests(func() {
					_, err := b.Upload(t.Context(), "k", strings.NewReader("x"))
					t.requireNothingDone(err, storage.Unavailable)
				}))
			}
		},
	},
	{
		Name: "a body is sent again from its start", Rule: "T2",
		Explanation: "bytes that were read before the connection dropped are not missing from the object",
		run: func(t *T) {
			for _, path := range t.uploadPaths() {
				b := path.open()
				text := body(path.size, 1)
				for _, source := range []func() io.Reader{
					func() io.Reader { return strings.NewReader(text) },
					func() io.Reader { return tempFile(t, text) },
				} {
					t.faults.Set(faults.Cut(faults.Put|faults.PutPart, path.size/3).First(2))
					_, err := b.Upload(t.Context(), "k", source())
					require.NoError(t, err, path.name)
					t.requireContent(b, "k", text)
				}
			}
		},
	},
	{
		Name: "a body that cannot be read again is not sent again", Rule: "T2",
		Explanation: "a stream that was partly sent fails, and nothing of it is stored",
		run: func(t *T) {
			b := t.open()
			t.put(b, "k", "old")
			var read atomic.Int64
			long := body(4<<20, 1)
			source := &countedReader{r: stream(long), n: &read}
			t.faults.Set(faults.Cut(faults.Put|faults.PutPart, 1<<20).Nth(1))
			_, err := b.Upload(t.Context(), "k", source)
			t.faults.Set()
			if err == nil { // it was buffered in parts, which can be sent again
				t.requireContent(b, "k", long)
				return
			}
			t.requireNothingDone(err, storage.Unavailable)
			t.requireContent(b, "k", "old")
			require.Less(t, read.Load(), int64(len(long)))
		},
	},
	{
		Name: "the retry budget ends the retries of a failing store", Rule: "T1",
		Explanation: "if nothing succeeds, most requests are soon made only once",
		run: func(t *T) {
			b := t.open(storage.WithRetry(storage.RetryPolicy{Attempts: 4, MaxDelay: 1}))
			t.faults.Set(faults.Fail(faults.Any))
			const operations = 400
			made := t.countRequests(func() {
				for range operations {
					_, err := b.Attrs(t.Context(), "k")
					require.True(t, errors.Is(err, storage.Unavailable))
				}
			})
			require.Less(t, made, 2*operations)
			require.GreaterOrEqual(t, made, operations)
		},
	},
	{
		Name: "opening a bucket makes no request", Rule: "T3",
		Explanation: "neither opening nor closing a bucket makes a request",
		run: func(t *T) {
			t.requireNoRequests(func() { t.open() })
		},
	},
}

type countedReader struct {
	r io.Reader
	n *atomic.Int64
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}
