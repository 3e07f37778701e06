package storagetest

import (
	"io/fs"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/faults"
)

// completes is the driver call that makes an upload's object appear.
const completes = faults.Put | faults.CompleteParts

var reconcileCases = []Case{
	{
		Name: "a create whose answer was lost is a success", Rule: "W7",
		Explanation: "the condition that then fails is the writer's own doing: one look tells, and there is one object",
		Needs:       storage.ConditionalCreate | storage.Metadata,
		run: func(t *T) {
			for _, w := range t.ways() {
				b := w.open()
				text := body(w.size, 1)
				t.faults.Set(faults.LoseAnswer(completes).Nth(1))
				attrs, err := b.Upload(t.Context(), "a", strings.NewReader(text), storage.IfAbsent(), storage.WithMetadata(map[string]string{"k": "v"}))
				require.NoError(t, err, w.name)
				require.Equal(t, t.attrs(b, "a").Revision, attrs.Revision)
				require.Equal(t, map[string]string{"k": "v"}, attrs.Metadata)
				t.holds(b, "a", text)
				require.Equal(t, []string{"a"}, t.keys(b))
			}
		},
	},
	{
		Name: "an update whose answer was lost is a success", Rule: "W7",
		Explanation: "IfRevision fails on the second attempt because the first one had its effect",
		Needs:       storage.ConditionalUpdate | storage.Metadata,
		run: func(t *T) {
			for _, w := range t.ways() {
				b := w.open()
				old := t.put(b, "a", "old")
				t.faults.Set(faults.LoseAnswer(completes).Nth(1))
				attrs, err := b.Upload(t.Context(), "a", strings.NewReader(body(w.size, 1)), storage.IfRevision(old.Revision))
				require.NoError(t, err, w.name)
				require.Equal(t, t.attrs(b, "a").Revision, attrs.Revision)
				t.holds(b, "a", body(w.size, 1))
			}
		},
	},
	{
		Name: "a write whose answer was lost is a success", Rule: "W7",
		Explanation: "without a condition it is written again or, in parts, looked at: one object, whole",
		run: func(t *T) {
			ways := t.ways()
			if !t.has(storage.Metadata) {
				ways = ways[:1] // no write id settles a lost completion
			}
			for _, w := range ways {
				b := w.open()
				t.put(b, "a", "old")
				t.faults.Set(faults.LoseAnswer(completes).Nth(1))
				_, err := b.Upload(t.Context(), "a", strings.NewReader(body(w.size, 1)))
				require.NoError(t, err, w.name)
				t.holds(b, "a", body(w.size, 1))
			}
		},
	},
	{
		Name: "a completion whose answer was lost needs no body", Rule: "W7",
		Explanation: "parts are in the store: a stream that cannot be read again is settled by one look",
		Needs:       storage.UploadParts | storage.Metadata,
		run: func(t *T) {
			b := t.inParts()
			text := body(t.unit+1, 1)
			t.faults.Set(faults.LoseAnswer(faults.CompleteParts).Nth(1))
			_, err := b.Upload(t.Context(), "a", stream(text), storage.WithPartSize(t.unit))
			require.NoError(t, err)
			t.holds(b, "a", text)
			require.Equal(t, 1, t.faults.Count(faults.BeginParts), "%v", t.faults)
		},
	},
	{
		Name: "a create that another has overwritten", Rule: "W7",
		Explanation: "where the look finds another's object, IfAbsent is PreconditionFailed",
		Needs:       storage.ConditionalCreate | storage.Metadata,
		run: func(t *T) {
			var other storage.Bucket
			b, other := t.pair(meddle("Put", 2, func() { t.put(other, "a", "another's") }))
			t.faults.Set(faults.Fail(faults.Put).Nth(1).With(&storage.Error{Code: storage.Unavailable, Retryable: true, Unknown: true}))
			_, err := b.Upload(t.Context(), "a", strings.NewReader("mine"), storage.IfAbsent())
			require.Equal(t, storage.PreconditionFailed, storage.CodeOf(err), "%v", err)
			require.ErrorIs(t, err, fs.ErrExist)
			t.holds(b, "a", "another's")
		},
	},
	{
		Name: "an update that another has overwritten", Rule: "W7",
		Explanation: "where the look finds another's object, ours may have been there before it: OutcomeUnknown",
		Needs:       storage.ConditionalUpdate,
		run: func(t *T) {
			var other storage.Bucket
			b, other := t.pair(meddle("Put", 3, func() { t.put(other, "a", "another's") }))
			old := t.put(b, "a", "old")
			t.faults.Set(faults.LoseAnswer(faults.Put).Nth(1))
			_, err := b.Upload(t.Context(), "a", strings.NewReader("mine"), storage.IfRevision(old.Revision))
			t.fails(err, storage.OutcomeUnknown)
			t.holds(b, "a", "another's")
		},
	},
	{
		Name: "a conditional removal whose answer was lost", Rule: "W7",
		Explanation: "the second attempt finds nothing there, which is success",
		Needs:       storage.ConditionalRemove,
		run: func(t *T) {
			b := t.open()
			attrs := t.put(b, "a", "old")
			t.faults.Set(faults.LoseAnswer(faults.Delete).Nth(1))
			require.NoError(t, b.Remove(t.Context(), "a", storage.IfRevision(attrs.Revision)))
			t.missing(b, "a")
		},
	},
	{
		Name: "a conditional removal that another has overtaken", Rule: "W7",
		Explanation: "a condition that fails after an unanswered attempt proves nothing: OutcomeUnknown",
		Needs:       storage.ConditionalRemove,
		run: func(t *T) {
			var other storage.Bucket
			b, other := t.pair(meddle("Delete", 2, func() { t.put(other, "a", "another's") }))
			attrs := t.put(b, "a", "old")
			t.faults.Set(faults.LoseAnswer(faults.Delete).Nth(1))
			t.fails(b.Remove(t.Context(), "a", storage.IfRevision(attrs.Revision)), storage.OutcomeUnknown)
			t.holds(b, "a", "another's")
		},
	},
	{
		Name: "a removal whose answer was lost is a success", Rule: "W7",
		Explanation: "removing what is not there succeeds, so that a retry is safe",
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "x")
			t.faults.Set(faults.LoseAnswer(faults.Delete).Nth(1))
			require.NoError(t, b.Remove(t.Context(), "a"))
			t.missing(b, "a")
		},
	},
	{
		Name: "an outcome that nothing settles is unknown", Rule: "W7",
		Explanation: "Error.Unknown stands beside the Code that says why, and the key holds the old object or the whole new one",
		run: func(t *T) {
			for _, w := range t.ways() {
				b := w.open()
				t.put(b, "a", "old")
				t.faults.Set(faults.LoseAnswer(completes).Nth(1), faults.Fail(faults.Any&^(faults.BeginParts|faults.PutPart)))
				_, err := b.Upload(t.Context(), "a", strings.NewReader(body(w.size, 1)))
				failure := t.fails(err, storage.Unavailable)
				require.True(t, failure.Unknown, w.name)
				require.ErrorIs(t, err, storage.OutcomeUnknown)
				t.faults.Set()
				t.holds(b, "a", body(w.size, 1))
			}
		},
	},
	{
		Name: "a failure before the request is no unknown outcome", Rule: "W1",
		Explanation: "Unknown is set where a request was sent whose answer never came, nowhere else",
		run: func(t *T) {
			b := t.open()
			t.faults.Set(faults.Fail(faults.Any))
			_, err := b.Upload(t.Context(), "a", strings.NewReader("x"))
			t.settled(err, storage.Unavailable)
			t.settled(b.Remove(t.Context(), "a"), storage.Unavailable)
			_, err = b.Attrs(t.Context(), "a")
			t.settled(err, storage.Unavailable)
			t.faults.Set(faults.LoseAnswer(faults.Any))
			_, err = b.Attrs(t.Context(), "missing")
			t.settled(err, storage.ObjectNotFound)
			for _, err := range b.List(t.Context()) {
				t.settled(err, storage.Unavailable)
			}
		},
	},
	{
		Name: "the write id is the library's own", Rule: "W7",
		Explanation: "drawn anew for each conditional write, hidden from users, refused in theirs, and not copied",
		Needs:       storage.ConditionalCreate | storage.Metadata,
		run: func(t *T) {
			var mu sync.Mutex
			var ids []string
			b := t.open(seePuts(func(r *storage.PutRequest) {
				mu.Lock()
				defer mu.Unlock()
				if id, there := r.Metadata["omnibucketwriteid"]; there {
					ids = append(ids, id)
				}
			}))
			t.put(b, "plain", "x")
			require.Empty(t, ids, "a write without a condition needs none")
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
			t.silently(func() {
				_, err := b.Upload(t.Context(), "d", strings.NewReader("x"), storage.WithMetadata(map[string]string{"OmnibucketWriteID": "x"}))
				t.settled(err, storage.InvalidArgument)
			})
		},
	},
	{
		Name: "a write id by an older name is hidden and not copied", Rule: "W7",
		Explanation: "earlier releases wrote it with underscores, which some servers give back as dashes",
		Needs:       storage.Metadata,
		run: func(t *T) {
			for _, bounds := range []faults.Bounds{{}, {Without: storage.ServerCopy | storage.ServerCompose}} {
				for _, old := range []string{"omnibucket_write_id", "omnibucket-write-id"} {
					var stored storage.Driver
					mark := func(r *storage.PutRequest) {
						if r.Key == "a" {
							r.Metadata = map[string]string{"k": "v", old: "x"}
						}
					}
					b := t.limited(bounds, seePuts(mark), storage.WithLayer(func(next storage.Driver) storage.Driver {
						stored = next
						return next
					}))
					t.put(b, "a", "x")
					require.Equal(t, map[string]string{"k": "v"}, t.attrs(b, "a").Metadata, old)
					_, err := storage.Copy(t.Context(), b, "b", b, "a")
					require.NoError(t, err)
					copied, err := stored.Head(t.Context(), &storage.GetRequest{Key: "b", Length: -1})
					require.NoError(t, err)
					for name := range copied.Metadata {
						require.NotEqual(t, old, name, "it was copied")
					}
				}
			}
		},
	},
	{
		Name: "a write by an older release is reconciled", Rule: "W7",
		Explanation: "an upload that was begun under the write id's older name is found by it, as it was given or with dashes",
		Needs:       storage.UploadParts | storage.Metadata,
		run: func(t *T) {
			for _, old := range []string{"omnibucket_write_id", "omnibucket-write-id"} {
				b := t.inParts(seePuts(func(r *storage.PutRequest) {
					id, there := r.Metadata["omnibucketwriteid"]
					if there {
						r.Metadata = map[string]string{old: id}
					}
				}), answer("CompleteParts", 2, &storage.Error{Code: storage.ObjectNotFound}))
				text := body(2*t.unit, 1)
				t.faults.Set(faults.LoseAnswer(faults.CompleteParts).Nth(1))
				attrs, err := b.Upload(t.Context(), "a", strings.NewReader(text))
				require.NoError(t, err, old)
				require.Empty(t, attrs.Metadata)
				t.holds(b, "a", text)
			}
		},
	},
	{
		Name: "a lost answer of a copy is reconciled", Rule: "W7",
		Explanation: "IfAbsent on the destination, with the first answer lost, is a success inside the provider as when streamed",
		Needs:       storage.ConditionalCreate | storage.Metadata,
		run: func(t *T) {
			for _, b := range []storage.Bucket{t.open(), t.limited(faults.Bounds{Without: storage.ServerCopy | storage.ServerCompose})} {
				t.puts(b, "x", "y")
				t.faults.Set(faults.LoseAnswer(faults.Put | faults.Copy | faults.Compose).Nth(1))
				_, err := storage.Copy(t.Context(), b, "copied", b, "x", storage.IfAbsent())
				require.NoError(t, err)
				t.holds(b, "copied", "x")
				t.faults.Set(faults.LoseAnswer(faults.Put | faults.Copy | faults.Compose).Nth(1))
				_, err = storage.Compose(t.Context(), b, "composed", []string{"x", "y"}, storage.IfAbsent())
				require.NoError(t, err)
				t.holds(b, "composed", "xy")
			}
		},
	},
}
