package storagetest

import (
	"context"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/faults"
)

var partCases = []Case{
	{
		Name: "parts of every length join to the body", Rule: "W3",
		Explanation: "one byte less, as much, and one byte more than whole parts, streamed and in place",
		Needs:       storage.UploadParts,
		run: func(t *T) {
			b := t.inParts()
			lengths := []int64{t.unit, t.unit + 1, 2*t.unit - 1, 2 * t.unit, 2*t.unit + 1}
			if t.unit > 1<<20 {
				lengths = []int64{t.unit + 1, 2 * t.unit}
			}
			for _, n := range lengths {
				text := body(n, byte(n))
				_, err := b.Upload(t.Context(), "stream", stream(text), storage.WithPartSize(t.unit))
				require.NoError(t, err, "%d bytes", n)
				t.holds(b, "stream", text)
				_, err = b.Upload(t.Context(), "in place", strings.NewReader(text), storage.WithPartSize(t.unit), storage.WithConcurrency(3))
				require.NoError(t, err, "%d bytes", n)
				t.holds(b, "in place", text)
				require.Equal(t, n, t.attrs(b, "in place").Size)
			}
		},
	},
	{
		Name: "parts are of one size where the provider wants it", Rule: "W3",
		Explanation: "with EqualParts all parts but the last are of one size, by default as with WithPartSize",
		Needs:       storage.UploadParts,
		run: func(t *T) {
			b := t.limited(faults.Bounds{Without: storage.StreamPut, EqualParts: true, MaxPutSize: t.unit, MinPartSize: t.unit})
			text := body(2*t.unit+t.unit/2, 1)
			for _, opts := range [][]storage.UploadOption{nil, {storage.WithPartSize(t.unit)}} {
				_, err := b.Upload(t.Context(), "a", stream(text), opts...)
				require.NoError(t, err)
				t.holds(b, "a", text)
			}
		},
	},
	{
		Name: "parts go one after the other where the provider wants it", Rule: "W3",
		Explanation: "with SequentialParts each part is sent at its offset after the one before, the last with the completion, and a lost answer is settled",
		Needs:       storage.UploadParts | storage.Metadata,
		run: func(t *T) {
			b := t.limited(faults.Bounds{Without: storage.StreamPut, Sequential: true, PartUnit: t.unit, MaxPutSize: t.unit, MinPartSize: t.unit})
			for _, n := range []int64{2 * t.unit, 2*t.unit + t.unit/2, 3 * t.unit} {
				text := body(n, byte(n))
				for name, from := range map[string]io.Reader{"a stream": stream(text), "in place": strings.NewReader(text)} {
					t.faults.Set(
						faults.LoseAnswer(faults.PutPart).Nth(1), faults.Fail(faults.PutPart).Nth(2),
						faults.Fail(faults.CompleteParts).Nth(1), faults.LoseAnswer(faults.CompleteParts).Nth(2),
					)
					_, err := b.Upload(t.Context(), name, from, storage.WithPartSize(t.unit), storage.WithConcurrency(4))
					require.NoError(t, err, "%s of %d bytes: %v", name, n, t.faults)
					t.holds(b, name, text)
				}
			}
		},
	},
	{
		Name: "more than the largest object is refused early", Rule: "W3",
		Explanation: "where parts set no limit: TooLarge, without a request where the size is known, and never truncated",
		Needs:       storage.UploadParts,
		run: func(t *T) {
			b := t.limited(faults.Bounds{Without: storage.StreamPut, MaxSize: 2 * t.unit, MaxPutSize: t.unit, MinPartSize: t.unit})
			text := body(2*t.unit, 1)
			_, err := b.Upload(t.Context(), "a", stream(text), storage.WithPartSize(t.unit))
			require.NoError(t, err)
			t.holds(b, "a", text)
			t.silently(func() {
				_, err := b.Upload(t.Context(), "b", strings.NewReader(text+"x"))
				t.fails(err, storage.TooLarge)
			})
			_, err = b.Upload(t.Context(), "b", stream(text+"x"), storage.WithPartSize(t.unit))
			t.fails(err, storage.TooLarge)
			t.missing(b, "b")
			require.Zero(t, t.pendingUploads(), "%v", t.faults)
		},
	},
	{
		Name: "a part is of the provider's unit", Rule: "W12",
		Explanation: "WithPartSize between two multiples of PartUnit is InvalidArgument",
		Needs:       storage.UploadParts,
		run: func(t *T) {
			b := t.limited(faults.Bounds{Without: storage.StreamPut, Sequential: true, PartUnit: t.unit, MinPartSize: t.unit})
			t.silently(func() {
				_, err := b.Upload(t.Context(), "a", stream("text"), storage.WithPartSize(t.unit+1))
				t.fails(err, storage.InvalidArgument)
			})
		},
	},
	{
		Name: "a known size is fitted into the parts that there are", Rule: "W3",
		Explanation: "the part size is chosen so that the body fits into the provider's number of parts",
		Needs:       storage.UploadParts,
		run: func(t *T) {
			b := t.limited(faults.Bounds{Without: storage.StreamPut, MaxPutSize: t.unit, MinPartSize: t.unit, MaxParts: 2})
			text := body(2*t.unit+5, 1)
			_, err := b.Upload(t.Context(), "a", strings.NewReader(text))
			require.NoError(t, err)
			t.holds(b, "a", text)
		},
	},
	{
		Name: "a part is sent again alone", Rule: "T2",
		Explanation: "a part that failed is repeated; the others are not",
		Needs:       storage.UploadParts,
		run: func(t *T) {
			b := t.inParts()
			text := body(2*t.unit+1, 1)
			t.faults.Set(faults.Fail(faults.PutPart).Nth(2), faults.LoseAnswer(faults.PutPart).Nth(1))
			_, err := b.Upload(t.Context(), "a", stream(text), storage.WithPartSize(t.unit))
			require.NoError(t, err)
			t.holds(b, "a", text)
			sent := 5
			if t.has(storage.SequentialParts) {
				sent-- // the last part goes with the completion
			}
			require.Equal(t, sent, t.faults.Count(faults.PutPart), "%v", t.faults)
			require.Equal(t, 1, t.faults.Count(faults.BeginParts), "%v", t.faults)
		},
	},
	{
		Name: "a part that fails for good ends the upload", Rule: "W1",
		Explanation: "the error is the part's, nothing is visible, and the upload is aborted once",
		Needs:       storage.UploadParts,
		run: func(t *T) {
			for _, fault := range []faults.Rule{
				faults.Fail(faults.PutPart).With(storage.PermissionDenied),
				faults.LoseAnswer(faults.PutPart),
			} {
				b := t.inParts()
				t.faults.Reset()
				t.faults.Set(fault)
				_, err := b.Upload(t.Context(), "a", stream(body(2*t.unit+1, 1)), storage.WithPartSize(t.unit))
				require.Error(t, err)
				require.NotErrorIs(t, err, storage.OutcomeUnknown, "a part is no object: nothing was completed")
				t.faults.Set()
				t.missing(b, "a")
				require.Zero(t, t.pendingUploads(), "%v", t.faults)
				require.Equal(t, 1, t.faults.Count(faults.AbortParts), "%v", t.faults)
				require.Zero(t, t.faults.Count(faults.CompleteParts), "%v", t.faults)
			}
		},
	},
	{
		Name: "a cancelled upload aborts on a context of its own", Rule: "W1",
		Explanation: "cancel in the middle of the parts: Canceled, nothing visible, and the abort reaches the store",
		Needs:       storage.UploadParts,
		run: func(t *T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var mu sync.Mutex
			var abort []error
			watch := storage.WithLayer(func(next storage.Driver) storage.Driver {
				return storage.Around(next, func(ctx context.Context, call string, next func(context.Context) error) error {
					if call == "AbortParts" {
						mu.Lock()
						_, limited := ctx.Deadline()
						if !limited {
							t.Error("an abort has a deadline")
						}
						abort = append(abort, ctx.Err())
						mu.Unlock()
					}
					return next(ctx)
				})
			})
			b := t.inParts(watch, meddle("PutPart", 2, cancel))
			_, err := b.Upload(ctx, "a", stream(body(3*t.unit, 1)), storage.WithPartSize(t.unit), storage.WithConcurrency(1))
			t.settled(err, storage.Canceled)
			require.Equal(t, []error{nil}, abort)
			t.missing(b, "a")
		},
	},
	{
		Name: "no abort after an unknown outcome", Rule: "W1",
		Explanation: "where a completion may have succeeded the upload is left alone",
		Needs:       storage.UploadParts,
		run: func(t *T) {
			b := t.inParts(storage.WithRetry(storage.RetryPolicy{Attempts: 2, MaxDelay: time.Millisecond}))
			t.faults.Set(
				faults.LoseAnswer(faults.CompleteParts).Nth(1),
				faults.Fail(faults.CompleteParts|faults.Reads),
			)
			_, err := b.Upload(t.Context(), "a", stream(body(t.unit+1, 1)), storage.WithPartSize(t.unit))
			require.ErrorIs(t, err, storage.OutcomeUnknown)
			require.Equal(t, storage.Unavailable, storage.CodeOf(err), "%v", err)
			require.Zero(t, t.faults.Count(faults.AbortParts), "%v", t.faults)
			t.faults.Set()
			t.holds(b, "a", body(t.unit+1, 1))
		},
	},
	{
		Name: "a conflict on completion begins anew", Rule: "W5",
		Explanation: "S3's 409 is no verdict: a body that can be read again is sent again, any other is Unavailable and Retryable",
		Needs:       storage.UploadParts,
		run: func(t *T) {
			conflict := &storage.Error{Code: storage.Unavailable, Status: 409}
			text := body(t.unit+1, 1)
			b := t.inParts(answer("CompleteParts", 1, conflict))
			_, err := b.Upload(t.Context(), "a", strings.NewReader(text), storage.WithPartSize(t.unit))
			require.NoError(t, err)
			t.holds(b, "a", text)
			require.Equal(t, 2, t.faults.Count(faults.BeginParts), "%v", t.faults)

			b = t.inParts(answer("CompleteParts", 1, conflict))
			_, err = b.Upload(t.Context(), "a", stream(text), storage.WithPartSize(t.unit))
			require.True(t, t.settled(err, storage.Unavailable).Retryable)
			t.missing(b, "a")
		},
	},
	{
		Name: "a long body goes in parts where Put cannot take it", Rule: "W3",
		Explanation: "bodies up to MaxPutSize cost one request, whatever their length is known to be",
		Needs:       storage.UploadParts,
		run: func(t *T) {
			b := t.inParts()
			for _, short := range []int64{0, 1, min(t.unit, 5000)} {
				for range 2 {
					require.Equal(t, 1, t.requests(func() { t.put(b, "a", body(short, 1)) }), "%v", t.faults)
					require.Equal(t, 1, t.requests(func() {
						_, err := b.Upload(t.Context(), "a", stream(body(short, 1)))
						require.NoError(t, err)
					}), "%v", t.faults)
				}
			}
			require.Zero(t, t.faults.Count(faults.BeginParts))
		},
	},
}
