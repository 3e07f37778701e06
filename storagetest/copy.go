package storagetest

import (
	"context"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/storagetest/internal/observe"
)

// copyPaths returns a bucket that copies objects inside the provider, if the store can, and one
// that streams them.
func (t *T) copyPaths(opts ...storage.OpenOption) map[string]storage.Bucket {
	return map[string]storage.Bucket{
		"inside the provider": t.open(opts...),
		"streamed": t.openLimited(
			faults.Limits{Disable: storage.ServerCopy | storage.ServerCompose}, opts...),
	}
}

var copyCases = []Case{
	{
		Name:        "a copy is the object with its attributes",
		Rule:        "W1",
		Explanation: "bytes, headers and metadata are copied, and the source stays",
		run: func(t *T) {
			for path, b := range t.copyPaths() {
				t.put(
					b, "a", "text", t.contentType("text/x-test"),
					t.optional(storage.ContentProperties, storage.WithCacheControl("no-store")),
					t.optional(storage.ContentProperties, storage.WithContentDisposition("inline")),
					t.optional(storage.ContentProperties, storage.WithContentLanguage("de")),
					t.optional(storage.ContentProperties, storage.WithContentEncoding("x-test")),
					t.metadata(map[string]string{"k": "v", "two": "\u00e9"}),
				)
				returned, err := storage.Copy(t.Context(), b, "b", b, "a")
				require.NoError(t, err, path)
				source := t.attrs(b, "a")
				attrs := t.attrs(b, "b")
				require.Equal(t, source.Properties, attrs.Properties, path)
				require.Equal(t, source.Properties, returned.Properties, path)
				require.Equal(t, attrs.Revision, returned.Revision, path)
				require.Equal(t, "b", returned.Key)
				require.Equal(t, int64(4), returned.Size)
				t.requireContent(b, "b", "text")
				t.requireContent(b, "a", "text")
			}
		},
	},
	{
		Name:        "options replace a copy's attributes one by one",
		Rule:        "W1",
		Explanation: "an option replaces its attribute, and the rest comes from the source",
		Needs:       storage.Metadata | storage.ContentProperties,
		run: func(t *T) {
			for path, b := range t.copyPaths() {
				t.put(
					b, "a.png", "text", storage.WithCacheControl("no-store"),
					storage.WithMetadata(map[string]string{"k": "v"}),
				)
				_, err := storage.Copy(t.Context(), b, "b.json", b, "a.png", storage.WithCacheControl("max-age=1"))
				require.NoError(t, err, path)
				attrs := t.attrs(b, "b.json")
				require.Equal(
					t, "image/png", attrs.ContentType,
					"%s: the type must come from the source, not from the new extension", path,
				)
				require.Equal(t, "max-age=1", attrs.CacheControl, path)
				require.Equal(t, map[string]string{"k": "v"}, attrs.Metadata, path)
				_, err = storage.Copy(
					t.Context(), b, "c", b, "a.png", storage.WithMetadata(map[string]string{"new": "1"}),
					storage.WithContentType("text/x-new"),
				)
				require.NoError(t, err, path)
				attrs = t.attrs(b, "c")
				require.Equal(t, map[string]string{"new": "1"}, attrs.Metadata, path)
				require.Equal(t, "text/x-new", attrs.ContentType, path)
				require.Equal(t, "no-store", attrs.CacheControl, path)
			}
		},
	},
	{
		Name:        "a copy onto itself changes attributes",
		Rule:        "W1",
		Explanation: "the bytes stay, and the attributes are those of the options",
		Needs:       storage.Metadata,
		run: func(t *T) {
			for path, b := range t.copyPaths() {
				t.put(b, "a", "text", storage.WithMetadata(map[string]string{"k": "v"}))
				_, err := storage.Copy(t.Context(), b, "a", b, "a", storage.WithMetadata(map[string]string{"k": "new"}))
				require.NoError(t, err, path)
				t.requireContent(b, "a", "text")
				require.Equal(t, map[string]string{"k": "new"}, t.attrs(b, "a").Metadata, path)
			}
		},
	},
	{
		Name:        "a copy onto itself may have a condition",
		Rule:        "W5",
		Explanation: "it changes attributes only of the revision that is named, and keeps all that no option replaces",
		Needs:       storage.Metadata | storage.ConditionalUpdate,
		run: func(t *T) {
			for path, b := range t.copyPaths() {
				old := t.put(b, "a", "old")
				current := t.put(b, "a", "now", t.contentType("text/x-test"), storage.WithMetadata(map[string]string{"k": "v"}))
				change := storage.WithMetadata(map[string]string{"k": "new"})
				_, err := storage.Copy(t.Context(), b, "a", b, "a", change, storage.IfRevision(old.Revision))
				t.requireNothingDone(err, storage.PreconditionFailed)
				require.Equal(t, map[string]string{"k": "v"}, t.attrs(b, "a").Metadata, path)
				updated, err := storage.Copy(t.Context(), b, "a", b, "a", change, storage.IfRevision(current.Revision))
				require.NoError(t, err, path)
				t.requireContent(b, "a", "now")
				attrs := t.attrs(b, "a")
				require.Equal(t, map[string]string{"k": "new"}, attrs.Metadata, path)
				require.Equal(t, updated.Revision, attrs.Revision, path)
				require.Equal(t, t.keptType("text/x-test"), attrs.ContentType, path)
				if t.has(storage.UniqueRevisions) {
					_, err = storage.Copy(t.Context(), b, "a", b, "a", change, storage.IfRevision(current.Revision))
					t.requireNothingDone(err, storage.PreconditionFailed)
				}
			}
		},
	},
	{
		Name:        "a copy whose Attrs are not needed",
		Rule:        "W4",
		Explanation: "with WithoutAttrs the copy is the object with its attributes, in fewer requests where the store can, and other options and errors are as without it",
		run: func(t *T) {
			for path, b := range t.copyPaths() {
				t.put(b, "a", "text", t.contentType("text/x-test"), t.metadata(map[string]string{"k": "v"}))
				returned, err := storage.Copy(t.Context(), b, "b", b, "a", storage.WithoutAttrs())
				require.NoError(t, err, path)
				source := t.attrs(b, "a")
				attrs := t.attrs(b, "b")
				require.Equal(t, source.Properties, attrs.Properties, path)
				require.Equal(t, attrs.Revision, returned.Revision, path)
				require.Equal(t, "b", returned.Key)
				require.Contains(t, []int64{-1, 4}, returned.Size)
				t.requireContent(b, "b", "text")

				_, err = storage.Copy(t.Context(), b, "a", b, "a", storage.WithoutAttrs())
				require.NoError(t, err, "%s: onto itself", path)
				require.Equal(t, source.Properties, t.attrs(b, "a").Properties, path)
				_, err = storage.Copy(t.Context(), b, "b", b, "missing", storage.WithoutAttrs())
				failure := t.requireNothingDone(err, storage.ObjectNotFound)
				require.Equal(t, "missing", failure.Key, path)
				t.requireContent(b, "b", "text")
				_, err = storage.Copy(t.Context(), b, "c", b, "a", storage.WithoutAttrs(), t.contentType("text/x-new"))
				require.NoError(t, err, path)
				require.Equal(t, t.attrs(b, "a").Metadata, t.attrs(b, "c").Metadata, path)
			}
		},
	},
	{
		Name:        "a copy whose Attrs are not needed keeps tags",
		Rule:        "G2",
		Explanation: "the copy has the tags of its source, or those of WithTags",
		Needs:       storage.ObjectTags,
		run: func(t *T) {
			for path, b := range t.copyPaths() {
				t.put(b, "a", "text", storage.WithTags(map[string]string{"of": "source"}))
				for key, row := range map[string]struct {
					opts []storage.CopyOption
					want string
				}{"kept": {nil, "source"}, "given": {[]storage.CopyOption{storage.WithTags(map[string]string{"of": "copy"})}, "copy"}} {
					_, err := storage.Copy(t.Context(), b, key, b, "a", append(row.opts, storage.WithoutAttrs())...)
					require.NoError(t, err, path)
					tags, err := storage.Tags(t.Context(), b, key)
					require.NoError(t, err, path)
					require.Equal(t, map[string]string{"of": row.want}, tags, path)
				}
			}
		},
	},
	{
		Name:        "a copy of a missing object",
		Rule:        "E2",
		Explanation: "the error is ObjectNotFound with the source's key, and the destination keeps its object",
		run: func(t *T) {
			for path, b := range t.copyPaths() {
				t.put(b, "there", "old")
				_, err := storage.Copy(t.Context(), b, "there", b, "missing")
				failure := t.requireNothingDone(err, storage.ObjectNotFound)
				require.Equal(t, "Copy", failure.Op, path)
				t.requireContent(b, "there", "old")
				_, err = storage.Compose(t.Context(), b, "there", []string{"there", "missing"})
				t.requireNothingDone(err, storage.ObjectNotFound)
				t.requireContent(b, "there", "old")
			}
		},
	},
	{
		Name:        "a copy between two buckets",
		Rule:        "W1",
		Explanation: "any bucket copies to any other, in parts if the object is long",
		run: func(t *T) {
			src := t.open()
			dst := t.openForPartsOrWhole()
			size := int64(1000)
			if t.has(storage.MultipartUploads) {
				size = 2*t.unit + 1
			}
			text := body(size, 1)
			t.put(src, "a", text, t.metadata(map[string]string{"k": "v"}))
			_, err := storage.Copy(t.Context(), dst, "b", src, "a")
			require.NoError(t, err)
			t.requireContent(dst, "b", text)
			require.Equal(t, t.keptMetadata(map[string]string{"k": "v"}), t.attrs(dst, "b").Metadata)
			require.Empty(t, t.keys(dst, storage.WithPrefix("a")))
			t.requireMissing(src, "b")
		},
	},
	{
		Name:        "a storage class stays with its provider",
		Rule:        "W1",
		Explanation: "a class is one provider's word: a copy from another provider has the destination's default, unless an option sets the class",
		run: func(t *T) {
			src := t.open(withForeignProvider())
			dst := t.openLimited(faults.Limits{Disable: storage.ServerCopy})
			t.put(src, "a", "text", t.metadata(map[string]string{"k": "v"}))
			t.put(dst, "plain", "text")
			for path, target := range map[string]storage.Bucket{"ours": dst, "a user's Core": t.wrapped(dst)} {
				require.Equal(t, anotherClass, t.attrs(src, "a").StorageClass)
				_, err := storage.Copy(t.Context(), target, "copy", src, "a")
				require.NoError(t, err, path)
				attrs := t.attrs(dst, "copy")
				require.Equal(t, t.attrs(dst, "plain").StorageClass, attrs.StorageClass, path)
				require.Equal(t, t.keptMetadata(map[string]string{"k": "v"}), attrs.Metadata, path)
			}
		},
	},
	{
		Name:        "a source that changes under a copy is Changed",
		Rule:        "W5",
		Explanation: "the source is pinned to one revision: if it changes, the error is never PreconditionFailed, and the destination stays",
		run: func(t *T) {
			var other storage.Bucket
			b, other := t.openTwice(
				driver.WithLayer(faults.WithLimits(faults.Limits{Disable: storage.ServerCopy})),
				observe.BeforeCall("Get", 2, func() {
					t.put(other, "a", "another")
				}),
			)
			t.put(b, "a", body(5000, 1))
			t.put(b, "b", "old")
			t.faults.Set(faults.Cut(faults.Get, 1000).Nth(1))
			_, err := storage.Copy(t.Context(), b, "b", b, "a")
			if err == nil {
				t.requireContent(b, "b", body(5000, 1)) // the provider may still return the old revision
				return
			}
			t.requireNothingDone(err, storage.Changed)
			require.NotErrorIs(t, err, storage.PreconditionFailed)
			t.requireContent(b, "b", "old")
		},
	},
	{
		Name:        "a source that changes before the server's copy is Changed",
		Rule:        "W5",
		Explanation: "the copy is of the revision that was looked at, also inside the provider",
		Needs:       0,
		run: func(t *T) {
			if !t.has(storage.ServerCopy) {
				return // another case tests the streamed copy
			}
			var other storage.Bucket
			b, other := t.openTwice(observe.BeforeCall("Copy", 1, func() {
				t.put(other, "a", "another")
			}))
			t.put(b, "a", "one", t.metadata(map[string]string{"of": "one"}))
			_, err := storage.Copy(t.Context(), b, "b", b, "a")
			if err != nil {
				t.requireNothingDone(err, storage.Changed)
				t.requireMissing(b, "b")
				return
			}
			require.NotEqual(t, "one another", t.get(b, "b"))
			require.Equal(
				t, t.get(b, "b") == "one" && t.has(storage.Metadata), t.attrs(b, "b").Metadata["of"] == "one",
				"bytes and attributes must belong together",
			)
		},
	},
	{
		Name:        "a source that is removed before the server's copy is Changed or missing",
		Rule:        "E2",
		Explanation: "the error is never BucketNotFound, because the bucket exists, and the destination stays",
		run: func(t *T) {
			if !t.has(storage.ServerCopy) {
				return // another case tests the streamed copy
			}
			for _, size := range []int64{1, 5000} {
				var other storage.Bucket
				b, other := t.openTwice(observe.BeforeCall("Copy", 1,
					func() { require.NoError(t, other.Remove(t.Context(), "a")) }))
				t.put(b, "a", body(size, 1))
				_, err := storage.Copy(t.Context(), b, "b", b, "a")
				require.Contains(t, []storage.Code{storage.Changed, storage.ObjectNotFound}, storage.CodeOf(err), "%v", err)
				t.requireMissing(b, "b")
			}
		},
	},
	{
		Name:        "IfAbsent of a copy is fs.ErrExist",
		Rule:        "W5",
		Explanation: "the error is as for an upload, and the destination stays",
		Needs:       storage.ConditionalCreate,
		run: func(t *T) {
			for _, b := range t.copyPaths() {
				t.puts(b, "a", "b")
				for _, opts := range [][]storage.CopyOption{nil, {storage.WithoutAttrs()}} {
					_, err := storage.Copy(t.Context(), b, "b", b, "a", append(opts, storage.IfAbsent())...)
					t.requireNothingDone(err, storage.PreconditionFailed)
					require.ErrorIs(t, err, fs.ErrExist)
				}
				t.requireContent(b, "b", "b")
			}
		},
	},
	{
		Name:        "objects are composed in order",
		Rule:        "W1",
		Explanation: "Compose joins many sources, including a repeated one, empty ones and its own destination",
		run: func(t *T) {
			for path, b := range t.copyPaths() {
				keys := []string{}
				for i := range 5 {
					key := string(rune('a' + i))
					t.put(b, key, strings.Repeat(key, i+1))
					keys = append(keys, key)
				}
				t.put(b, "empty", "")
				returned, err := storage.Compose(
					t.Context(), b, "all.json", append(slices.Clone(keys), "empty", "a"),
					t.metadata(map[string]string{"k": "v"}),
				)
				require.NoError(t, err, path)
				require.Equal(t, int64(16), returned.Size, path)
				t.requireContent(b, "all.json", "abbcccddddeeeeea")
				require.Equal(t, t.keptMetadata(map[string]string{"k": "v"}), t.attrs(b, "all.json").Metadata, path)
				_, err = storage.Compose(t.Context(), b, "a", []string{"a", "b"})
				require.NoError(t, err, path)
				t.requireContent(b, "a", "abb")
				_, err = storage.Compose(t.Context(), b, "none", nil)
				require.Error(t, err, path)
				t.requireMissing(b, "none")
			}
		},
	},
}

// anotherClass is a name that no provider has for a storage class.
const anotherClass = "ANOTHERS_CLASS"

// withForeignProvider returns a layer with which a store seems to belong to another provider. All
// objects of the store then have a storage class that only that provider has.
func withForeignProvider() storage.OpenOption {
	return driver.WithLayer(func(next driver.Driver) driver.Driver { return &foreignDriver{Driver: next} })
}

type foreignDriver struct{ driver.Driver }

func (d *foreignDriver) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Provider = "another"
	return desc
}

func (d *foreignDriver) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.Head(ctx, r)
	return withAnotherClass(attrs), err
}

func (d *foreignDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := d.Driver.Get(ctx, r)
	return withAnotherClass(attrs), body, err
}

// withAnotherClass returns a copy of attrs with the storage class of another provider.
func withAnotherClass(attrs *storage.Attrs) *storage.Attrs {
	if attrs == nil {
		return nil
	}
	clone := *attrs
	clone.StorageClass = anotherClass
	return &clone
}
