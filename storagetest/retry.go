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
	"github.com/omnibucket/storage/storagetest/internal/observe"
)

var retryCases = []Case{
	{
		Name:        "a temporary failure is retried",
		Rule:        "T1",
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
					"List":   func() error { return second(storage.ListPage(t.Context(), b, "", t.anyOrder()...)) },
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
		Name:        "a permanent failure is not retried",
		Rule:        "T1",
		Explanation: "a refusal is returned at once",
		run: func(t *T) {
			b := t.open()
			for _, code := range []storage.Code{
				storage.PermissionDenied, storage.Unauthenticated, storage.BucketNotFound, storage.Locked,
				storage.TooLarge,
				storage.Internal,
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
		Name:        "the policy sets the number of attempts",
		Rule:        "T1",
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
		Name:        "a body is sent again from its start",
		Rule:        "T2",
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
		Name:        "a body that cannot be read again is not sent again",
		Rule:        "T2",
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
			// The upload succeeds if the library keeps parts of the body in memory, because it can
			// send a part again.
			if err == nil {
				t.requireContent(b, "k", long)
				return
			}
			t.requireNothingDone(err, storage.Unavailable)
			t.requireContent(b, "k", "old")
			require.Less(t, read.Load(), int64(len(long)))
		},
	},
	{
		Name:        "the retry budget ends the retries of a failing store",
		Rule:        "T1",
		Explanation: "if nothing succeeds, most requests are soon made only once",
		run: func(t *T) {
			b := t.open(storage.WithRetry(storage.RetryPolicy{Attempts: 4, MaxDelay: 1}))
			t.faults.Set(faults.Fail(faults.Any))
			const operations = 400
			count := t.countRequests(func() {
				for range operations {
					_, err := b.Attrs(t.Context(), "k")
					require.True(t, errors.Is(err, storage.Unavailable))
				}
			})
			require.Less(t, count, 2*operations)
			require.GreaterOrEqual(t, count, operations)
		},
	},
	{
		Name:        "opening a bucket makes no request",
		Rule:        "T3",
		Explanation: "neither opening nor closing a bucket makes a request",
		run: func(t *T) {
			t.requireNoRequests(func() {
				t.open()
			})
		},
	},
}

// A countedReader adds the number of bytes that were read from r to n.
type countedReader struct {
	r io.Reader
	n *atomic.Int64
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

var resumeCases = []Case{
	{
		Name:        "a download survives a dropped connection",
		Rule:        "R2",
		Explanation: "it resumes at the byte where it stopped, in a whole object and in a range, and delivers each byte once",
		run: func(t *T) {
			b := t.open()
			text := body(5000, 1)
			t.put(b, "a", text)
			for _, offset := range []int64{0, 1, 2500, 4999, 5000} {
				t.faults.Set(faults.Cut(faults.Get, offset).Nth(1))
				t.requireContent(b, "a", text)
				t.faults.Set(faults.Cut(faults.Get, offset).Nth(1))
				requireSame(t, text[100:4100], t.get(b, "a", storage.WithRange(100, 4000)))
				t.faults.Set(faults.Cut(faults.Get, offset).Nth(1))
				requireSame(t, text[4000:], t.get(b, "a", storage.WithRange(-1000, -1)))
				t.faults.Set(faults.Cut(faults.Get, offset).Nth(1))
				requireSame(t, text, t.get(b, "a", storage.WithConcurrency(3)))
			}
			t.faults.Set(faults.Cut(faults.Get, 1000).First(3))
			t.requireContent(b, "a", text)
		},
	},
	{
		Name:        "a resumed download is retried",
		Rule:        "R2",
		Explanation: "the request that resumes is retried like any other, and loses nothing if its response is lost",
		run: func(t *T) {
			b := t.open()
			text := body(5000, 1)
			t.put(b, "a", text)
			for _, second := range []faults.Rule{faults.Fail(faults.Get).Nth(2), faults.DropResponse(faults.Get).Nth(2)} {
				t.faults.Set(faults.Cut(faults.Get, 1000).Nth(1), second)
				t.requireContent(b, "a", text)
			}
		},
	},
	{
		Name:        "a short body is an error, never the end",
		Rule:        "R2",
		Explanation: "bytes are counted against the announced length: if a body ends early with io.EOF, it is resumed or fails",
		run: func(t *T) {
			b := t.open()
			text := body(5000, 1)
			t.put(b, "a", text)
			t.faults.Set(faults.Cut(faults.Get, 1000).Nth(1).WithError(io.EOF))
			t.requireContent(b, "a", text)
			t.faults.Set(faults.Cut(faults.Get, 0).WithError(io.EOF))
			reader, err := b.Download(t.Context(), "a")
			require.NoError(t, err)
			got, err := drain(t, reader)
			t.requireCode(err, storage.Unavailable)
			require.Empty(t, got)
		},
	},
	{
		Name:        "attempts to resume are bounded",
		Rule:        "R2",
		Explanation: "a connection that always drops is Unavailable after a bounded number of requests",
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", body(5000, 1))
			t.faults.Set(faults.Cut(faults.Get, 0))
			count := t.countRequests(func() {
				_, _, err := storage.ReadAll(t.Context(), b, "a")
				t.requireCode(err, storage.Unavailable)
				require.ErrorIs(t, err, io.ErrUnexpectedEOF, "the cause must be reachable")
			})
			require.LessOrEqual(t, count, 100)
			require.Greater(t, count, 1)
		},
	},
	{
		Name:        "a stalled download is resumed",
		Rule:        "R2",
		Explanation: "if no byte arrives for RetryPolicy.Stall, the connection counts as dropped",
		// The stall limit is so short that attempts in a busy process would stall.
		alone: true,
		run: func(t *T) {
			// The rule must be set before the bucket is opened. Otherwise the driver would declare
			// Local, and the engine would not check for stalls.
			t.faults.Set(faults.StallBody(0))
			b := t.open(storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Millisecond, Stall: 300 * time.Millisecond}))
			t.faults.Set()
			text := body(5000, 1)
			t.put(b, "a", text)
			t.faults.Set(faults.StallBody(1000).Nth(1))
			t.requireContent(b, "a", text)
			t.faults.Set(faults.StallBody(0).Nth(1))
			requireSame(t, text, t.get(b, "a", storage.WithConcurrency(2)))
		},
	},
	{
		Name:        "an object that changes under a download is Changed",
		Rule:        "R2",
		Explanation: "two revisions are never spliced: the bytes after the drop are of the first revision, or the read fails",
		run: func(t *T) {
			changeUnderDownload(t, func(other storage.Bucket) {
				t.put(other, "a", "another")
			})
		},
	},
	{
		Name:        "an object that is removed under a download is Changed",
		Rule:        "R2",
		Explanation: "after the drop the object is missing, but the error is not ObjectNotFound: the object was there",
		run: func(t *T) {
			changeUnderDownload(t, func(other storage.Bucket) {
				require.NoError(t, other.Remove(t.Context(), "a"))
			})
		},
	},
	{
		Name:        "a read in progress ends with ctx",
		Rule:        "E3",
		Explanation: "ctx governs the reader until Close: a read is Canceled within a moment, even if the store delivers nothing",
		run: func(t *T) {
			t.faults.Set(faults.StallBody(0)) // set before opening, so that the driver does not appear local
			b := t.open()
			t.faults.Set()
			text := body(5000, 1)
			t.put(b, "a", text)
			for _, concurrency := range []int{1, 3} {
				ctx, cancel := contextOf(t)
				t.faults.Set(faults.StallBody(1000))
				reader, err := b.Download(ctx, "a", storage.WithConcurrency(concurrency))
				require.NoError(t, err)
				_, err = io.CopyN(io.Discard, onlyReader{reader}, 500)
				require.NoError(t, err)
				go cancel()
				_, err = io.Copy(io.Discard, onlyReader{reader})
				require.Equal(t, storage.Canceled, storage.CodeOf(err), "%v", err)
				require.NoError(t, reader.Close())
			}
		},
	},
}

// changeUnderDownload cuts the connection of a download, and calls change with a second client of the
// store before the download resumes. The download must fail with Changed, or return the old content.
func changeUnderDownload(t *T, change func(other storage.Bucket)) {
	const size, cutAfter = 5000, 1000
	for _, concurrency := range []int{1, 3} {
		// The first Get is cut. The second one resumes the download, so change is called before it.
		var other storage.Bucket
		callChange := func() { change(other) }
		b, second := t.openTwice(observe.BeforeCall("Get", 2, callChange))
		other = second
		full := body(size, 1)
		t.put(b, "a", full)
		t.faults.Set(faults.Cut(faults.Get, cutAfter).Nth(1))

		got, _, err := storage.ReadAll(t.Context(), b, "a", storage.WithConcurrency(concurrency))
		if err == nil {
			// The provider may still return the old revision.
			requireSame(t, full, string(got))
			continue
		}
		t.requireCode(err, storage.Changed)
		require.NotErrorIs(t, err, storage.ObjectNotFound)
		require.NotErrorIs(t, err, storage.PreconditionFailed)
	}
}
