package storagetest

import (
	"context"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/faults"
)

// copyRoads are buckets that copy inside the provider, where it can, and that
// stream.
func (t *T) copyRoads(opts ...storage.OpenOption) map[string]storage.Bucket {
	return map[string]storage.Bucket{
		"inside the provider": t.open(opts...),
		"streamed":            t.limited(faults.Bounds{Without: storage.ServerCopy | storage.ServerCompose}, opts...),
	}
}

var copyCases = []Case{
	{
		Name: "a copy is the object with its attributes", Rule: "W1",
		Explanation: "bytes, headers and metadata come along, and the source stays",
		run: func(t *T) {
			for road, b := range t.copyRoads() {
				t.put(b, "a", "text", t.contentType("text/x-test"), t.optional(storage.ContentProperties, storage.WithCacheControl("no-store")),
					t.optional(storage.ContentProperties, storage.WithContentDisposition("inline")),
					t.optional(storage.ContentProperties, storage.WithContentLanguage("de")),
					t.optional(storage.ContentProperties, storage.WithContentEncoding("x-test")),
					t.metadata(map[string]string{"k": "v", "two": "\u00e9"}))
				answer, err := storage.Copy(t.Context(), b, "b", b, "a")
				require.NoError(t, err, road)
				source, copied := t.attrs(b, "a"), t.attrs(b, "b")
				require.Equal(t, source.Properties, copied.Properties, road)
				require.Equal(t, source.Properties, answer.Properties, road)
				require.Equal(t, copied.Revision, answer.Revision, road)
				require.Equal(t, "b", answer.Key)
				require.Equal(t, int64(4), answer.Size)
				t.holds(b, "b", "text")
				t.holds(b, "a", "text")
			}
		},
	},
	{
		Name: "options replace a copy's attributes one by one", Rule: "W1",
		Explanation: "what an option names is replaced, the rest is the source's",
		Needs:       storage.Metadata | storage.ContentProperties,
		run: func(t *T) {
			for road, b := range t.copyRoads() {
				t.put(b, "a.png", "text", storage.WithCacheControl("no-store"), storage.WithMetadata(map[string]string{"k": "v"}))
				_, err := storage.Copy(t.Context(), b, "b.json", b, "a.png", storage.WithCacheControl("max-age=1"))
				require.NoError(t, err, road)
				attrs := t.attrs(b, "b.json")
				require.Equal(t, "image/png", attrs.ContentType, "%s: the source's, not by the new extension", road)
				require.Equal(t, "max-age=1", attrs.CacheControl, road)
				require.Equal(t, map[string]string{"k": "v"}, attrs.Metadata, road)
				_, err = storage.Copy(t.Context(), b, "c", b, "a.png", storage.WithMetadata(map[string]string{"new": "1"}), storage.WithContentType("text/x-new"))
				require.NoError(t, err, road)
				attrs = t.attrs(b, "c")
				require.Equal(t, map[string]string{"new": "1"}, attrs.Metadata, road)
				require.Equal(t, "text/x-new", attrs.ContentType, road)
				require.Equal(t, "no-store", attrs.CacheControl, road)
			}
		},
	},
	{
		Name: "a copy onto itself changes attributes", Rule: "W1",
		Explanation: "the bytes stay, the attributes are what the options say",
		Needs:       storage.Metadata,
		run: func(t *T) {
			for road, b := range t.copyRoads() {
				t.put(b, "a", "text", storage.WithMetadata(map[string]string{"k": "v"}))
				_, err := storage.Copy(t.Context(), b, "a", b, "a", storage.WithMetadata(map[string]string{"k": "new"}))
				require.NoError(t, err, road)
				t.holds(b, "a", "text")
				require.Equal(t, map[string]string{"k": "new"}, t.attrs(b, "a").Metadata, road)
			}
		},
	},
	{
		Name: "a copy of a missing object", Rule: "E2",
		Explanation: "it is ObjectNotFound, with the source's key, and the destination keeps what it has",
		run: func(t *T) {
			for road, b := range t.copyRoads() {
				t.put(b, "there", "old")
				_, err := storage.Copy(t.Context(), b, "there", b, "missing")
				failure := t.settled(err, storage.ObjectNotFound)
				require.Equal(t, "Copy", failure.Op, road)
				t.holds(b, "there", "old")
				_, err = storage.Compose(t.Context(), b, "there", []string{"there", "missing"})
				t.settled(err, storage.ObjectNotFound)
				t.holds(b, "there", "old")
			}
		},
	},
	{
		Name: "a copy between two buckets", Rule: "W1",
		Explanation: "any bucket to any other, through parts where it is long",
		run: func(t *T) {
			from, to := t.open(), t.inPartsOrWhole()
			size := int64(1000)
			if t.has(storage.UploadParts) {
				size = 2*t.unit + 1
			}
			text := body(size, 1)
			t.put(from, "a", text, t.metadata(map[string]string{"k": "v"}))
			_, err := storage.Copy(t.Context(), to, "b", from, "a")
			require.NoError(t, err)
			t.holds(to, "b", text)
			require.Equal(t, t.keptMetadata(map[string]string{"k": "v"}), t.attrs(to, "b").Metadata)
			require.Empty(t, t.keys(to, storage.WithPrefix("a")))
			t.missing(from, "b")
		},
	},
	{
		Name: "a storage class stays with its provider", Rule: "W1",
		Explanation: "it is a word of one provider's: what is copied from another has the destination's default, and an option's is what it says",
		run: func(t *T) {
			from, to := t.open(ofAnotherProvider()), t.limited(faults.Bounds{Without: storage.ServerCopy})
			t.put(from, "a", "text", t.metadata(map[string]string{"k": "v"}))
			t.put(to, "plain", "text")
			for road, target := range map[string]storage.Bucket{"ours": to, "a user's": &countingBucket{Bucket: to}} {
				require.Equal(t, anotherClass, t.attrs(from, "a").StorageClass)
				_, err := storage.Copy(t.Context(), target, "copy", from, "a")
				require.NoError(t, err, road)
				copied := t.attrs(to, "copy")
				require.Equal(t, t.attrs(to, "plain").StorageClass, copied.StorageClass, road)
				require.Equal(t, t.keptMetadata(map[string]string{"k": "v"}), copied.Metadata, road)
			}
		},
	},
	{
		Name: "a source that changes under a copy is Changed", Rule: "W5",
		Explanation: "the source is pinned to one revision; a changed one is never PreconditionFailed, and the destination stays",
		run: func(t *T) {
			var other storage.Bucket
			b, other := t.pair(
				storage.WithLayer(faults.Limits(faults.Bounds{Without: storage.ServerCopy})),
				meddle("Get", 2, func() { t.put(other, "a", "another") }),
			)
			t.put(b, "a", body(5000, 1))
			t.put(b, "b", "old")
			t.faults.Set(faults.Cut(faults.Get, 1000).Nth(1))
			_, err := storage.Copy(t.Context(), b, "b", b, "a")
			if err == nil {
				t.holds(b, "b", body(5000, 1)) // the provider still had the revision
				return
			}
			t.settled(err, storage.Changed)
			require.NotErrorIs(t, err, storage.PreconditionFailed)
			t.holds(b, "b", "old")
		},
	},
	{
		Name: "a source that changes before the server's copy is Changed", Rule: "W5",
		Explanation: "what was looked at is what is copied, inside the provider too",
		Needs:       0,
		run: func(t *T) {
			if !t.has(storage.ServerCopy) {
				return // the streamed copy has a case of its own
			}
			var other storage.Bucket
			b, other := t.pair(meddle("Copy", 1, func() { t.put(other, "a", "another") }))
			t.put(b, "a", "one", t.metadata(map[string]string{"of": "one"}))
			_, err := storage.Copy(t.Context(), b, "b", b, "a")
			if err != nil {
				t.settled(err, storage.Changed)
				t.missing(b, "b")
				return
			}
			require.NotEqual(t, "one another", t.get(b, "b"))
			require.Equal(t, t.get(b, "b") == "one" && t.has(storage.Metadata), t.attrs(b, "b").Metadata["of"] == "one", "bytes and attributes belong together")
		},
	},
	{
		Name: "a source that is removed before the server's copy is Changed or missing", Rule: "E2",
		Explanation: "never BucketNotFound: the bucket is there, and the destination stays as it was",
		run: func(t *T) {
			if !t.has(storage.ServerCopy) {
				return // the streamed copy has a case of its own
			}
			for _, size := range []int64{1, 5000} {
				var other storage.Bucket
				b, other := t.pair(meddle("Copy", 1, func() { require.NoError(t, other.Remove(t.Context(), "a")) }))
				t.put(b, "a", body(size, 1))
				_, err := storage.Copy(t.Context(), b, "b", b, "a")
				require.Contains(t, []storage.Code{storage.Changed, storage.ObjectNotFound}, storage.CodeOf(err), "%v", err)
				t.missing(b, "b")
			}
		},
	},
	{
		Name: "IfAbsent of a copy is fs.ErrExist", Rule: "W5",
		Explanation: "as of an upload, and the destination stays",
		Needs:       storage.ConditionalCreate,
		run: func(t *T) {
			for _, b := range t.copyRoads() {
				t.puts(b, "a", "b")
				_, err := storage.Copy(t.Context(), b, "b", b, "a", storage.IfAbsent())
				t.settled(err, storage.PreconditionFailed)
				require.ErrorIs(t, err, fs.ErrExist)
				t.holds(b, "b", "b")
			}
		},
	},
	{
		Name: "objects are composed in order", Rule: "W1",
		Explanation: "Compose joins many sources, one of them several times, empty ones, and its own destination",
		run: func(t *T) {
			for road, b := range t.copyRoads() {
				keys := []string{}
				for i := range 5 {
					key := string(rune('a' + i))
					t.put(b, key, strings.Repeat(key, i+1))
					keys = append(keys, key)
				}
				t.put(b, "empty", "")
				answer, err := storage.Compose(t.Context(), b, "all.json", append(slices.Clone(keys), "empty", "a"), t.metadata(map[string]string{"k": "v"}))
				require.NoError(t, err, road)
				require.Equal(t, int64(16), answer.Size, road)
				t.holds(b, "all.json", "abbcccddddeeeeea")
				require.Equal(t, t.keptMetadata(map[string]string{"k": "v"}), t.attrs(b, "all.json").Metadata, road)
				_, err = storage.Compose(t.Context(), b, "a", []string{"a", "b"})
				require.NoError(t, err, road)
				t.holds(b, "a", "abb")
				_, err = storage.Compose(t.Context(), b, "none", nil)
				require.Error(t, err, road)
				t.missing(b, "none")
			}
		},
	},
}

// anotherClass is a storage class that no provider has.
const anotherClass = "ANOTHERS_CLASS"

// ofAnotherProvider makes a store pass for one of another provider, whose
// objects have a storage class of its own.
func ofAnotherProvider() storage.OpenOption {
	return storage.WithLayer(func(next storage.Driver) storage.Driver { return &anothers{Driver: next} })
}

type anothers struct{ storage.Driver }

func (d *anothers) Describe() storage.Description {
	desc := d.Driver.Describe()
	desc.Provider = "another"
	return desc
}

func (d *anothers) Head(ctx context.Context, r *storage.GetRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.Head(ctx, r)
	return classed(attrs), err
}

func (d *anothers) Get(ctx context.Context, r *storage.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := d.Driver.Get(ctx, r)
	return classed(attrs), body, err
}

func classed(attrs *storage.Attrs) *storage.Attrs {
	if attrs == nil {
		return nil
	}
	changed := *attrs
	changed.StorageClass = anotherClass
	return &changed
}
