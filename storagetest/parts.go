package storagetest

import (
	"context"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/storagetest/internal/observe"
)

var partCases = []Case{
	{
		Name:        "an upload that is canceled while it begins leaves nothing",
		Rule:        "E3",
		Explanation: "the response to the request that begins an upload in parts is waited for, because nobody else could abort it",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			for name, do := range map[string]func(ctx context.Context, b storage.Bucket) error{
				"in place": func(ctx context.Context, b storage.Bucket) error {
					_, err := b.Upload(ctx, "a", strings.NewReader(body(2*t.unit, 1)))
					return err
				},
				"a stream": func(ctx context.Context, b storage.Bucket) error {
					_, err := b.Upload(ctx, "a", stream(body(2*t.unit, 1)))
					return err
				},
				"an open upload": func(ctx context.Context, b storage.Bucket) error {
					_, err := storage.BeginUpload(ctx, b, "a")
					return err
				},
			} {
				if name == "an open upload" && !t.has(storage.OpenUploads) {
					continue
				}
				ctx, cancel := context.WithCancel(t.Context())
				count, aborted := 0, 0
				b := t.openForParts(driver.WithLayer(func(d driver.Driver) driver.Driver {
					return driver.Intercept(
						d,
						func(ctx context.Context, call string, next func(context.Context) error) error {
							switch call {
							case "AbortParts":
								aborted++
							case "BeginParts": // the upload begins, but the response is lost
								err := next(context.WithoutCancel(ctx))
								count++
								cancel()
								if ctx.Err() != nil {
									return ctx.Err()
								}
								return err
							}
							return next(ctx)
						},
					)
				}))
				t.requireCode(do(ctx, b), storage.Canceled)
				require.Equal(t, []int{1, 1}, []int{count, aborted}, name)
				require.Zero(t, t.countPendingUploads(), name)
			}
		},
	},
	{
		Name:        "parts of every length add up to the body",
		Rule:        "W3",
		Explanation: "the body is one byte shorter than whole parts, as long, or one byte longer, streamed and read in place",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			b := t.openForParts()
			lengths := []int64{t.unit, t.unit + 1, 2*t.unit - 1, 2 * t.unit, 2*t.unit + 1}
			if t.unit > 1<<20 {
				lengths = []int64{t.unit + 1, 2 * t.unit}
			}
			for _, n := range lengths {
				text := body(n, byte(n))
				_, err := b.Upload(t.Context(), "stream", stream(text), storage.WithPartSize(t.unit))
				require.NoError(t, err, "%d bytes", n)
				t.requireContent(b, "stream", text)
				_, err = b.Upload(
					t.Context(), "in place", strings.NewReader(text), storage.WithPartSize(t.unit),
					storage.WithConcurrency(3),
				)
				require.NoError(t, err, "%d bytes", n)
				t.requireContent(b, "in place", text)
				require.Equal(t, n, t.attrs(b, "in place").Size)
			}
		},
	},
	{
		Name:        "a bucket has a default part size",
		Rule:        "W3",
		Explanation: "a body of that size is one request, a longer one has such parts, and WithPartSize wins; an invalid size is refused",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			limits := faults.Limits{
				Disable:     driver.StreamingPut,
				MaxPutSize:  4 * t.unit,
				MinPartSize: t.unit,
				MaxPartSize: 4 * t.unit,
			}
			b := t.openLimited(limits, storage.WithDefaultPartSize(2*t.unit))
			for _, row := range []struct {
				bytes       int64
				opts        []storage.UploadOption
				puts, parts int
			}{
				{2 * t.unit, nil, 1, 0},
				{4*t.unit + 1, nil, 0, 3},
				{2 * t.unit, []storage.UploadOption{storage.WithPartSize(t.unit)}, 0, 2},
				{4 * t.unit, []storage.UploadOption{storage.WithPartSize(4 * t.unit)}, 1, 0},
			} {
				text := body(row.bytes, 1)
				for name, src := range map[string]io.Reader{"a stream": stream(text), "in place": strings.NewReader(text)} {
					t.faults.Reset()
					_, err := b.Upload(t.Context(), "a", src, row.opts...)
					require.NoError(t, err)
					parts := t.faults.Count(faults.PutPart)
					if t.has(driver.SequentialParts) { // the last part is sent with CompleteParts
						parts += t.faults.Count(faults.CompleteParts)
					}
					require.Equal(t, row.puts, t.faults.Count(faults.Put), "%s of %d bytes: %v", name, row.bytes, t.faults)
					require.Equal(t, row.parts, parts, "%s of %d bytes: %v", name, row.bytes, t.faults)
					t.requireContent(b, "a", text)
				}
			}
			for _, size := range []int64{-1, 0, t.unit - 1, 4*t.unit + 1} {
				other := t.openLimited(limits, storage.WithDefaultPartSize(size))
				t.requireNoRequests(func() {
					_, err := other.Upload(t.Context(), "b", strings.NewReader(""))
					t.requireCode(err, storage.InvalidArgument)
				})
			}
		},
	},
	{
		Name:        "a body that can seek is sent again",
		Rule:        "W2",
		Explanation: "with WithSize it needs no buffer, and a second attempt has the same bytes, from the offset that the body had",
		run: func(t *T) {
			b := t.open()
			text := body(300<<10, 1)
			src := strings.NewReader("head" + text)
			_, err := src.Seek(4, io.SeekStart)
			require.NoError(t, err)
			t.faults.Set(faults.DropResponse(faults.Put).Nth(1), faults.Cut(faults.Put, 100<<10).Nth(2))
			_, err = b.Upload(t.Context(), "a", struct{ io.ReadSeeker }{src}, storage.WithSize(int64(len(text))))
			require.NoError(t, err)
			require.Equal(t, 3, t.faults.Count(faults.Put), "%v", t.faults)
			t.requireContent(b, "a", text)
		},
	},
	{
		Name:        "parts have one size if the provider requires it",
		Rule:        "W3",
		Explanation: "with EqualParts all parts but the last have one size, by default and with WithPartSize",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			b := t.openLimited(faults.Limits{
				Disable:     driver.StreamingPut,
				EqualParts:  true,
				MaxPutSize:  t.unit,
				MinPartSize: t.unit,
			})
			text := body(2*t.unit+t.unit/2, 1)
			for _, opts := range [][]storage.UploadOption{nil, {storage.WithPartSize(t.unit)}} {
				_, err := b.Upload(t.Context(), "a", stream(text), opts...)
				require.NoError(t, err)
				t.requireContent(b, "a", text)
			}
		},
	},
	{
		Name:        "parts are sequential if the provider requires it",
		Rule:        "W3",
		Explanation: "with SequentialParts each part is sent at its offset after the previous one, the last with the completion, and a lost response is reconciled",
		Needs:       storage.MultipartUploads | storage.Metadata,
		run: func(t *T) {
			b := t.openLimited(
				faults.Limits{
					Disable:     driver.StreamingPut,
					Sequential:  true,
					PartUnit:    t.unit,
					MaxPutSize:  t.unit,
					MinPartSize: t.unit,
				},
			)
			for _, n := range []int64{2 * t.unit, 2*t.unit + t.unit/2, 3 * t.unit} {
				text := body(n, byte(n))
				for name, src := range map[string]io.Reader{"a stream": stream(text), "in place": strings.NewReader(text)} {
					t.faults.Set(
						faults.DropResponse(faults.PutPart).Nth(1), faults.Fail(faults.PutPart).Nth(2),
						faults.Fail(faults.CompleteParts).Nth(1), faults.DropResponse(faults.CompleteParts).Nth(2),
					)
					_, err := b.Upload(t.Context(), name, src, storage.WithPartSize(t.unit), storage.WithConcurrency(4))
					require.NoError(t, err, "%s of %d bytes: %v", name, n, t.faults)
					t.requireContent(b, name, text)
				}
			}
		},
	},
	{
		Name:        "an object over the largest size is refused early",
		Rule:        "W3",
		Explanation: "if the parts set no limit: TooLarge, without a request if the size is known, and never truncated",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			b := t.openLimited(
				faults.Limits{
					Disable:     driver.StreamingPut,
					MaxSize:     2 * t.unit,
					MaxPutSize:  t.unit,
					MinPartSize: t.unit,
				},
			)
			text := body(2*t.unit, 1)
			_, err := b.Upload(t.Context(), "a", stream(text), storage.WithPartSize(t.unit))
			require.NoError(t, err)
			t.requireContent(b, "a", text)
			t.requireNoRequests(func() {
				_, err := b.Upload(t.Context(), "b", strings.NewReader(text+"x"))
				t.requireCode(err, storage.TooLarge)
			})
			_, err = b.Upload(t.Context(), "b", stream(text+"x"), storage.WithPartSize(t.unit))
			t.requireCode(err, storage.TooLarge)
			t.requireMissing(b, "b")
			require.Zero(t, t.countPendingUploads(), "%v", t.faults)
		},
	},
	{
		Name:        "a part size is a multiple of the provider's unit",
		Rule:        "W12",
		Explanation: "WithPartSize between two multiples of PartUnit is InvalidArgument",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			b := t.openLimited(faults.Limits{
				Disable:     driver.StreamingPut,
				Sequential:  true,
				PartUnit:    t.unit,
				MinPartSize: t.unit,
			})
			t.requireNoRequests(func() {
				_, err := b.Upload(t.Context(), "a", stream("text"), storage.WithPartSize(t.unit+1))
				t.requireCode(err, storage.InvalidArgument)
			})
		},
	},
	{
		Name:        "a known size fits into the allowed number of parts",
		Rule:        "W3",
		Explanation: "the part size is chosen so that the body fits into the provider's number of parts",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			b := t.openLimited(faults.Limits{
				Disable:     driver.StreamingPut,
				MaxPutSize:  t.unit,
				MinPartSize: t.unit,
				MaxParts:    2,
			})
			text := body(2*t.unit+5, 1)
			_, err := b.Upload(t.Context(), "a", strings.NewReader(text))
			require.NoError(t, err)
			t.requireContent(b, "a", text)
		},
	},
	{
		Name:        "only the failed part is sent again",
		Rule:        "T2",
		Explanation: "a part that failed is repeated, and the others are not",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			b := t.openForParts()
			text := body(2*t.unit+1, 1)
			t.faults.Set(faults.Fail(faults.PutPart).Nth(2), faults.DropResponse(faults.PutPart).Nth(1))
			_, err := b.Upload(t.Context(), "a", stream(text), storage.WithPartSize(t.unit))
			require.NoError(t, err)
			t.requireContent(b, "a", text)
			n := 5
			if t.has(driver.SequentialParts) {
				n-- // the last part is sent with CompleteParts
			}
			require.Equal(t, n, t.faults.Count(faults.PutPart), "%v", t.faults)
			require.Equal(t, 1, t.faults.Count(faults.BeginParts), "%v", t.faults)
		},
	},
	{
		Name:        "a part that fails permanently ends the upload",
		Rule:        "W1",
		Explanation: "the error is that of the part, nothing is visible, and the upload is aborted once",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			for _, fault := range []faults.Rule{
				faults.Fail(faults.PutPart).WithError(storage.PermissionDenied),
				faults.DropResponse(faults.PutPart),
			} {
				b := t.openForParts()
				t.faults.Reset()
				t.faults.Set(fault)
				_, err := b.Upload(t.Context(), "a", stream(body(2*t.unit+1, 1)), storage.WithPartSize(t.unit))
				require.Error(t, err)
				require.NotErrorIs(t, err, storage.OutcomeUnknown, "a part is no object, and nothing was completed")
				t.faults.Set()
				t.requireMissing(b, "a")
				require.Zero(t, t.countPendingUploads(), "%v", t.faults)
				aborts := t.faults.Count(faults.AbortParts)
				require.Positive(t, aborts, "%v", t.faults)
				// A real server may refuse the first abort while another part is still on its way.
				if !t.isRemote() {
					require.Equal(t, 1, aborts, "%v", t.faults)
				}
				require.Zero(t, t.faults.Count(faults.CompleteParts), "%v", t.faults)
			}
		},
	},
	{
		Name:        "a cancelled upload aborts on a context of its own",
		Rule:        "W1",
		Explanation: "cancelled between parts, an upload is Canceled, nothing is visible, and the abort reaches the store",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var mu sync.Mutex
			var abort []error
			watch := driver.WithLayer(func(next driver.Driver) driver.Driver {
				return driver.Intercept(
					next,
					func(ctx context.Context, call string, next func(context.Context) error) error {
						if call == "AbortParts" {
							mu.Lock()
							_, limited := ctx.Deadline()
							if !limited {
								t.Error("an abort must have a deadline")
							}
							abort = append(abort, ctx.Err())
							mu.Unlock()
						}
						return next(ctx)
					},
				)
			})
			b := t.openForParts(watch, observe.BeforeCall("PutPart", 2, cancel))
			_, err := b.Upload(ctx, "a", stream(body(3*t.unit, 1)), storage.WithPartSize(t.unit), storage.WithConcurrency(1))
			t.requireNothingDone(err, storage.Canceled)
			require.Equal(t, []error{nil}, abort)
			t.requireMissing(b, "a")
		},
	},
	{
		Name:        "no abort after an unknown outcome",
		Rule:        "W1",
		Explanation: "if a completion may have succeeded, the upload is not aborted",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			b := t.openForParts(storage.WithRetry(storage.RetryPolicy{Attempts: 2, MaxDelay: time.Millisecond}))
			t.faults.Set(
				faults.DropResponse(faults.CompleteParts).Nth(1),
				faults.Fail(faults.CompleteParts|faults.Reads),
			)
			_, err := b.Upload(t.Context(), "a", stream(body(t.unit+1, 1)), storage.WithPartSize(t.unit))
			require.ErrorIs(t, err, storage.OutcomeUnknown)
			require.Equal(t, storage.Unavailable, storage.CodeOf(err), "%v", err)
			require.Zero(t, t.faults.Count(faults.AbortParts), "%v", t.faults)
			t.faults.Set()
			t.requireContent(b, "a", body(t.unit+1, 1))
		},
	},
	{
		Name:        "a conflict on completion restarts the upload",
		Rule:        "W5",
		Explanation: "after S3's 409, a body that can be read again is sent again, and any other fails with Unavailable and Retryable",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			conflict := &storage.Error{Code: storage.Unavailable, Status: 409}
			text := body(t.unit+1, 1)
			b := t.openForParts(observe.FailCall("CompleteParts", 1, conflict))
			_, err := b.Upload(t.Context(), "a", strings.NewReader(text), storage.WithPartSize(t.unit))
			require.NoError(t, err)
			t.requireContent(b, "a", text)
			require.Equal(t, 2, t.faults.Count(faults.BeginParts), "%v", t.faults)

			b = t.openForParts(observe.FailCall("CompleteParts", 1, conflict))
			_, err = b.Upload(t.Context(), "a", stream(text), storage.WithPartSize(t.unit))
			require.True(t, t.requireNothingDone(err, storage.Unavailable).Retryable)
			t.requireMissing(b, "a")
		},
	},
	{
		Name:        "a body too long for Put is sent in parts",
		Rule:        "W3",
		Explanation: "a body up to MaxPutSize costs one request, whether its length is known or not",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			b := t.openForParts()
			for _, short := range []int64{0, 1, min(t.unit, 5000)} {
				for range 2 {
					require.Equal(t, 1, t.countRequests(func() { t.put(b, "a", body(short, 1)) }), "%v", t.faults)
					require.Equal(t, 1, t.countRequests(func() {
						_, err := b.Upload(t.Context(), "a", stream(body(short, 1)))
						require.NoError(t, err)
					}), "%v", t.faults)
				}
			}
			require.Zero(t, t.faults.Count(faults.BeginParts))
		},
	},
}
