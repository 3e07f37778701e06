package storagetest

import (
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/storagetest/internal/observe"
)

// completingCalls are the driver calls after which an uploaded object exists.
const completingCalls = faults.Put | faults.CompleteParts

// loseFirst returns rules that lose the response of the first of each of these calls. The caller
// gets the error lost, or an error without a response if lost is nil.
//
// Each call has its own rule, because a rule also counts refused calls. If a source is too small
// for Compose, Put stores the object instead, and one rule for both would lose no response.
func loseFirst(lost error, calls ...faults.Calls) []faults.Rule {
	var rules []faults.Rule
	for _, call := range calls {
		rules = append(rules, faults.DropResponse(call).Nth(1).WithError(lost))
	}
	return rules
}

var reconcileCases = []Case{
	{
		Name:        "a create whose response was lost succeeds",
		Rule:        "W7",
		Explanation: "a retry that finds its own object succeeds: one look at the object tells, and it was stored once",
		Needs:       storage.ConditionalCreate | storage.Metadata,
		run: func(t *T) {
			for _, path := range t.uploadPaths() {
				b := path.open()
				text := body(path.size, 1)
				t.faults.Set(faults.DropResponse(completingCalls).Nth(1))
				attrs, err := b.Upload(
					t.Context(), "a", strings.NewReader(text), storage.IfAbsent(),
					storage.WithMetadata(map[string]string{"k": "v"}),
				)
				require.NoError(t, err, path.name)
				require.Equal(t, t.attrs(b, "a").Revision, attrs.Revision)
				require.Equal(t, map[string]string{"k": "v"}, attrs.Metadata)
				t.requireContent(b, "a", text)
				require.Equal(t, []string{"a"}, t.keys(b))
			}
		},
	},
	{
		Name:        "a conditional write that a gateway refused after its effect succeeds",
		Rule:        "W7",
		Explanation: "408, 429 and 503 are answers of gateways, too: if the next attempt finds the condition unmet, one look at the object tells whose it is",
		Needs:       storage.ConditionalCreate | storage.ConditionalUpdate | storage.Metadata,
		run: func(t *T) {
			for _, refusal := range []*storage.Error{
				{Code: storage.RateLimited, Status: http.StatusTooManyRequests, Retryable: true},
				{Code: storage.Unavailable, Status: http.StatusServiceUnavailable, Retryable: true},
				{Code: storage.Unavailable, Status: http.StatusRequestTimeout, Retryable: true},
			} {
				answered := func() {
					t.faults.Set(loseFirst(refusal, faults.Copy, completingCalls)...)
				}
				for _, path := range t.uploadPaths() {
					b := path.open()
					name := fmt.Sprint(path.name, " ", refusal.Status)
					answered()
					attrs, err := b.Upload(t.Context(), "a", strings.NewReader(body(path.size, 1)), storage.IfAbsent())
					require.NoError(t, err, name)
					answered()
					_, err = b.Upload(t.Context(), "a", strings.NewReader(body(path.size, 2)),
						storage.IfRevision(attrs.Revision))
					require.NoError(t, err, name)
					t.requireContent(b, "a", body(path.size, 2))
					answered()
					_, err = storage.Copy(t.Context(), b, "b", b, "a", storage.IfAbsent())
					require.NoError(t, err, name)
					answered()
					_, err = b.Upload(t.Context(), "a", strings.NewReader("another"), storage.IfAbsent())
					t.requireCode(err, storage.PreconditionFailed)
					t.faults.Set()
				}
			}
		},
	},
	{
		Name:        "a composition that replaces a source and whose response was lost succeeds",
		Rule:        "W7",
		Explanation: "the second attempt finds another revision of the source, which is what the first one stored: an object is not appended twice",
		Needs:       storage.Metadata,
		run: func(t *T) {
			for b, loseResponse := range t.lossyBuckets {
				t.put(b, "b", "b")
				loseResponse()
				_, err := storage.Compose(t.Context(), b, "a", []string{"a", "b"})
				require.NoError(t, err)
				t.requireContent(b, "a", "ab")
			}
		},
	},
	{
		Name:        "a copy onto its source whose response was lost succeeds",
		Rule:        "W7",
		Explanation: "the second attempt finds another revision of the source, which is what the first one stored",
		Needs:       storage.Metadata,
		run: func(t *T) {
			for b, loseResponse := range t.lossyBuckets {
				loseResponse()
				_, err := storage.Copy(t.Context(), b, "a", b, "a", storage.WithMetadata(map[string]string{"k": "v"}))
				require.NoError(t, err)
				require.Equal(t, map[string]string{"k": "v"}, t.attrs(b, "a").Metadata)
				t.requireContent(b, "a", "a")
			}
		},
	},
	{
		Name:        "an update whose response was lost succeeds",
		Rule:        "W7",
		Explanation: "IfRevision fails on the second attempt because the first one took effect",
		Needs:       storage.ConditionalUpdate | storage.Metadata,
		run: func(t *T) {
			for _, path := range t.uploadPaths() {
				b := path.open()
				old := t.put(b, "a", "old")
				t.faults.Set(faults.DropResponse(completingCalls).Nth(1))
				attrs, err := b.Upload(t.Context(), "a", strings.NewReader(body(path.size, 1)),
					storage.IfRevision(old.Revision))
				require.NoError(t, err, path.name)
				require.Equal(t, t.attrs(b, "a").Revision, attrs.Revision)
				t.requireContent(b, "a", body(path.size, 1))
			}
		},
	},
	{
		Name:        "a write whose response was lost succeeds",
		Rule:        "W7",
		Explanation: "without a condition the write is repeated or, in parts, its object is looked up: one complete object is stored",
		run: func(t *T) {
			paths := t.uploadPaths()
			if !t.has(storage.Metadata) {
				// After a lost response, a write id in the object's metadata shows whether an
				// upload in parts took effect. A store without metadata is tested only with a
				// single Put.
				paths = paths[:1]
			}
			for _, path := range paths {
				b := path.open()
				t.put(b, "a", "old")
				t.faults.Set(faults.DropResponse(completingCalls).Nth(1))
				_, err := b.Upload(t.Context(), "a", strings.NewReader(body(path.size, 1)))
				require.NoError(t, err, path.name)
				t.requireContent(b, "a", body(path.size, 1))
			}
		},
	},
	{
		Name:        "a completion whose response was lost needs no body",
		Rule:        "W7",
		Explanation: "the parts are in the store, so that a stream that cannot be read again is reconciled by one look",
		Needs:       storage.MultipartUploads | storage.Metadata,
		run: func(t *T) {
			b := t.openForParts()
			text := body(t.unit+1, 1)
			t.faults.Set(faults.DropResponse(faults.CompleteParts).Nth(1))
			_, err := b.Upload(t.Context(), "a", stream(text), storage.WithPartSize(t.unit))
			require.NoError(t, err)
			t.requireContent(b, "a", text)
			require.Equal(t, 1, t.faults.Count(faults.BeginParts), "%v", t.faults)
		},
	},
	{
		Name:        "a create that another client overwrote",
		Rule:        "W7",
		Explanation: "if the look finds another client's object, IfAbsent fails with PreconditionFailed",
		Needs:       storage.ConditionalCreate | storage.Metadata,
		run: func(t *T) {
			var other storage.Bucket
			b, other := t.openTwice(observe.BeforeCall("Put", 2, func() {
				t.put(other, "a", "another's")
			}))
			t.faults.Set(
				faults.Fail(faults.Put).
					Nth(1).WithError(&storage.Error{Code: storage.Unavailable, Retryable: true, Unknown: true}),
			)
			_, err := b.Upload(t.Context(), "a", strings.NewReader("mine"), storage.IfAbsent())
			require.Equal(t, storage.PreconditionFailed, storage.CodeOf(err), "%v", err)
			require.ErrorIs(t, err, fs.ErrExist)
			t.requireContent(b, "a", "another's")
		},
	},
	{
		Name:        "an update that created the object, which another client then overwrote",
		Rule:        "W7",
		Explanation: "its object may have been what the other client read: Update is OutcomeUnknown, and does not apply the change twice",
		Needs:       storage.ConditionalCreate | storage.ConditionalUpdate,
		run: func(t *T) {
			var other storage.Bucket
			b, other := t.openTwice(observe.BeforeCall("Put", 2, func() {
				t.put(other, "a", "another's")
			}))
			t.faults.Set(faults.DropResponse(faults.Put).Nth(1))
			_, err := storage.Update(t.Context(), b, "a", func([]byte, *storage.Attrs) ([]byte, error) {
				return []byte("mine"), nil
			})
			t.requireCode(err, storage.OutcomeUnknown)
			t.requireContent(b, "a", "another's")
		},
	},
	{
		Name:        "an update that another client overwrote",
		Rule:        "W7",
		Explanation: "if the look finds another client's object, ours may have been there before it: OutcomeUnknown",
		Needs:       storage.ConditionalUpdate,
		run: func(t *T) {
			var other storage.Bucket
			b, other := t.openTwice(observe.BeforeCall("Put", 3, func() {
				t.put(other, "a", "another's")
			}))
			old := t.put(b, "a", "old")
			t.faults.Set(faults.DropResponse(faults.Put).Nth(1))
			_, err := b.Upload(t.Context(), "a", strings.NewReader("mine"), storage.IfRevision(old.Revision))
			t.requireCode(err, storage.OutcomeUnknown)
			t.requireContent(b, "a", "another's")
		},
	},
	{
		Name:        "a conditional removal whose response was lost succeeds",
		Rule:        "W7",
		Explanation: "the second attempt finds no object, which is success",
		Needs:       storage.ConditionalRemove,
		run: func(t *T) {
			b := t.open()
			attrs := t.put(b, "a", "old")
			t.faults.Set(faults.DropResponse(faults.Delete).Nth(1))
			require.NoError(t, b.Remove(t.Context(), "a", storage.IfRevision(attrs.Revision)))
			t.requireMissing(b, "a")
		},
	},
	{
		Name:        "a conditional removal that another client overtook",
		Rule:        "W7",
		Explanation: "a condition that fails after an attempt without a response proves nothing: OutcomeUnknown",
		Needs:       storage.ConditionalRemove,
		run: func(t *T) {
			var other storage.Bucket
			b, other := t.openTwice(observe.BeforeCall("Delete", 2, func() {
				t.put(other, "a", "another's")
			}))
			attrs := t.put(b, "a", "old")
			t.faults.Set(faults.DropResponse(faults.Delete).Nth(1))
			t.requireCode(b.Remove(t.Context(), "a", storage.IfRevision(attrs.Revision)), storage.OutcomeUnknown)
			t.requireContent(b, "a", "another's")
		},
	},
	{
		Name:        "a removal whose response was lost succeeds",
		Rule:        "W7",
		Explanation: "removing a missing object succeeds, so that a retry is safe",
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "x")
			t.faults.Set(faults.DropResponse(faults.Delete).Nth(1))
			require.NoError(t, b.Remove(t.Context(), "a"))
			t.requireMissing(b, "a")
		},
	},
	{
		Name:        "an outcome that cannot be reconciled is unknown",
		Rule:        "W7",
		Explanation: "Error.Unknown is set beside the Code of the cause, and the key holds the old object or the whole new one",
		run: func(t *T) {
			for _, path := range t.uploadPaths() {
				b := path.open()
				t.put(b, "a", "old")
				t.faults.Set(
					faults.DropResponse(completingCalls).Nth(1),
					faults.Fail(faults.Any&^(faults.BeginParts|faults.PutPart)),
				)
				_, err := b.Upload(t.Context(), "a", strings.NewReader(body(path.size, 1)))
				failure := t.requireCode(err, storage.Unavailable)
				require.True(t, failure.Unknown, path.name)
				require.ErrorIs(t, err, storage.OutcomeUnknown)
				t.faults.Set()
				t.requireContent(b, "a", body(path.size, 1))
			}
		},
	},
	{
		Name:        "a failure before the request is not an unknown outcome",
		Rule:        "W1",
		Explanation: "Unknown is set only if a request was sent and its response never came",
		run: func(t *T) {
			b := t.open()
			t.faults.Set(faults.Fail(faults.Any))
			_, err := b.Upload(t.Context(), "a", strings.NewReader("x"))
			t.requireNothingDone(err, storage.Unavailable)
			t.requireNothingDone(b.Remove(t.Context(), "a"), storage.Unavailable)
			_, err = b.Attrs(t.Context(), "a")
			t.requireNothingDone(err, storage.Unavailable)
			t.faults.Set(faults.DropResponse(faults.Any))
			_, err = b.Attrs(t.Context(), "missing")
			t.requireNothingDone(err, storage.ObjectNotFound)
			for _, err := range b.List(t.Context(), t.anyOrder()...) {
				t.requireNothingDone(err, storage.Unavailable)
			}
		},
	},
	{
		Name:        "the write id is the library's own",
		Rule:        "W7",
		Explanation: "each conditional write has a new id; it is hidden from users, refused in their metadata, and not copied",
		Needs:       storage.ConditionalCreate | storage.Metadata,
		run: func(t *T) {
			var mu sync.Mutex
			var ids []string
			b := t.open(observe.SeePuts(func(r *driver.PutRequest) {
				mu.Lock()
				defer mu.Unlock()
				if id, exists := r.Metadata["omnibucketwriteid"]; exists {
					ids = append(ids, id)
				}
			}))
			t.put(b, "plain", "x")
			require.Empty(t, ids, "a write without a condition needs no id")
			attrs := t.put(b, "a", "x", storage.IfAbsent())
			t.put(b, "b", "x", storage.IfAbsent(), storage.WithMetadata(map[string]string{"k": "v"}))
			require.Len(t, ids, 2)
			require.NotEqual(t, ids[0], ids[1])
			require.Empty(t, attrs.Metadata)
			require.Empty(t, t.attrs(b, "a").Metadata)
			require.Equal(t, map[string]string{"k": "v"}, t.attrs(b, "b").Metadata)
			_, err := storage.Copy(t.Context(), b, "c", b, "b")
			require.NoError(t, err)
			require.Equal(t, map[string]string{"k": "v"}, t.attrs(b, "c").Metadata)
			t.requireNoRequests(func() {
				_, err := b.Upload(
					t.Context(), "d", strings.NewReader("x"),
					storage.WithMetadata(map[string]string{"OmnibucketWriteID": "x"}),
				)
				t.requireNothingDone(err, storage.InvalidArgument)
			})
		},
	},
	{
		Name:        "a write id under an older name is hidden and not copied",
		Rule:        "W7",
		Explanation: "earlier releases wrote the id with underscores, which some servers return as dashes",
		Needs:       storage.Metadata,
		run: func(t *T) {
			for _, bounds := range []faults.Limits{{}, {Disable: storage.ServerCopy | storage.ServerCompose}} {
				for _, old := range []string{"omnibucket_write_id", "omnibucket-write-id"} {
					var stored driver.Driver
					mark := func(r *driver.PutRequest) {
						if r.Key == "a" {
							r.Metadata = map[string]string{"k": "v", old: "x"}
						}
					}
					b := t.openLimited(
						bounds, observe.SeePuts(mark),
						driver.WithLayer(func(next driver.Driver) driver.Driver {
							stored = next
							return next
						}),
					)
					t.put(b, "a", "x")
					require.Equal(t, map[string]string{"k": "v"}, t.attrs(b, "a").Metadata, old)
					_, err := storage.Copy(t.Context(), b, "b", b, "a")
					require.NoError(t, err)
					attrs, err := stored.Head(t.Context(), &driver.GetRequest{Key: "b", Length: -1})
					require.NoError(t, err)
					for name := range attrs.Metadata {
						require.NotEqual(t, old, name, "the id was copied")
					}
				}
			}
		},
	},
	{
		Name:        "a write by an older release is reconciled",
		Rule:        "W7",
		Explanation: "an upload that an earlier release began is found by the older name of its write id, with underscores or dashes",
		Needs:       storage.MultipartUploads | storage.Metadata,
		run: func(t *T) {
			for _, old := range []string{"omnibucket_write_id", "omnibucket-write-id"} {
				b := t.openForParts(observe.SeePuts(func(r *driver.PutRequest) {
					id, exists := r.Metadata["omnibucketwriteid"]
					if exists {
						r.Metadata = map[string]string{old: id}
					}
				}), observe.FailCall("CompleteParts", 2, &storage.Error{Code: storage.ObjectNotFound}))
				text := body(2*t.unit, 1)
				t.faults.Set(faults.DropResponse(faults.CompleteParts).Nth(1))
				attrs, err := b.Upload(t.Context(), "a", strings.NewReader(text))
				require.NoError(t, err, old)
				require.Empty(t, attrs.Metadata)
				t.requireContent(b, "a", text)
			}
		},
	},
	{
		Name:        "a copy whose response was lost is reconciled",
		Rule:        "W7",
		Explanation: "Copy and Compose with IfAbsent succeed if the first response is lost, inside the provider and streamed",
		Needs:       storage.ConditionalCreate | storage.Metadata,
		run: func(t *T) {
			for _, b := range []storage.Bucket{t.open(), t.openLimited(faults.Limits{Disable: storage.ServerCopy | storage.ServerCompose})} {
				t.puts(b, "x", "y")
				t.faults.Set(loseFirst(nil, faults.Copy, faults.Compose, faults.Put)...)
				_, err := storage.Copy(t.Context(), b, "copied", b, "x", storage.IfAbsent())
				require.NoError(t, err)
				t.requireContent(b, "copied", "x")
				t.faults.Set(loseFirst(nil, faults.Copy, faults.Compose, faults.Put)...)
				_, err = storage.Compose(t.Context(), b, "composed", []string{"x", "y"}, storage.IfAbsent())
				require.NoError(t, err)
				t.requireContent(b, "composed", "xy")
			}
		},
	},
	{
		Name:        "a removal of many objects that failed after a lost response is unknown",
		Rule:        "W1",
		Explanation: "the response to a batch is lost after its effect, and the next attempts are refused as a batch or one by one: the error of each object is OutcomeUnknown",
		run: func(t *T) {
			if t.desc.MaxBatch == 0 {
				return
			}
			b := t.open()
			lost := faults.DropResponse(faults.DeleteBatch).Nth(1)
			denied := faults.Fail(faults.Delete).WithError(storage.PermissionDenied)
			for _, rules := range [][]faults.Rule{
				{lost, faults.Fail(faults.DeleteBatch).WithError(storage.PermissionDenied)},
				{lost, faults.Fail(faults.DeleteBatch).WithError(storage.Unsupported), denied},
				{lost.WithError(&storage.Error{Code: storage.Unsupported, Unknown: true}), denied},
			} {
				t.puts(b, "x", "y")
				t.faults.Set(rules...)
				n, err := storage.RemoveAll(t.Context(), b, slices.Values([]string{"x", "y"}))
				t.faults.Set()
				require.Zero(t, n)
				joined, ok := err.(interface{ Unwrap() []error })
				require.True(t, ok, "%v", err)
				require.Len(t, joined.Unwrap(), 2)
				for _, err := range joined.Unwrap() {
					require.ErrorIs(t, err, storage.OutcomeUnknown)
					t.requireCode(err, storage.PermissionDenied)
				}
				t.requireMissing(b, "x")
			}
		},
	},
	{
		Name:        "a stream that fails after a copy by the server may have taken effect is unknown",
		Rule:        "W1",
		Explanation: "a gateway answers 501 to a Copy or Compose after its effect, and the stream that follows is refused: the error is OutcomeUnknown",
		run: func(t *T) {
			b := t.open()
			if !storage.Supports(b, storage.ServerCopy|storage.ServerCompose) {
				return
			}
			t.put(b, "x", "x")
			set := func() {
				t.faults.Set(
					faults.DropResponse(faults.Copy|faults.Compose).
						Nth(1).WithError(&storage.Error{Code: storage.Unsupported, Unknown: true}),
					faults.Fail(faults.Put).WithError(storage.PermissionDenied),
				)
			}
			set()
			_, err := storage.Copy(t.Context(), b, "copied", b, "x")
			require.ErrorIs(t, err, storage.OutcomeUnknown)
			t.requireCode(err, storage.PermissionDenied)
			set()
			_, err = storage.Compose(t.Context(), b, "composed", []string{"x"})
			require.ErrorIs(t, err, storage.OutcomeUnknown)
			t.requireCode(err, storage.PermissionDenied)
			t.faults.Set()
		},
	},
}

// lossyBuckets yields buckets that contain the object "a": one that copies in the server, and one that copies
// by a download and an upload. After a call of loseResponse, the next write to the bucket takes effect, but
// fails as if its response was lost.
func (t *T) lossyBuckets(yield func(b storage.Bucket, loseResponse func()) bool) {
	t.Helper()
	copiesInServer := faults.Limits{}
	streamsCopies := faults.Limits{Disable: storage.ServerCopy | storage.ServerCompose}
	failures := []*storage.Error{
		{Code: storage.RateLimited, Status: http.StatusTooManyRequests, Retryable: true},
		{Code: storage.Unavailable, Retryable: true, Unknown: true},
	}
	for _, limits := range []faults.Limits{copiesInServer, streamsCopies} {
		b := t.openLimited(limits)
		for _, failure := range failures {
			// The write is one of these calls, depending on how the bucket copies.
			rules := loseFirst(failure, faults.Copy, faults.Compose, completingCalls)
			loseResponse := func() { t.faults.Set(rules...) }
			t.put(b, "a", "a")
			if !yield(b, loseResponse) {
				return
			}

			// The next bucket begins without rules.
			t.faults.Set()
		}
	}
}
