package storagetest

import (
	"context"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/storagetest/internal/observe"
)

// copyPaths returns one bucket that copies inside the provider, if it can, and one that
// streams.
func (t *T) copyPaths(opts ...storage.OpenOption) map[string]storage.Bucket {
	return map[string]storage.Bucket{
		"inside the provider": t.open(opts...),
		"streamed":            t.openLimited(faults.Limits{Disable: storage.ServerCopy | storage.ServerCompose}, opts...),
	}
}

var copyCases = []Case{
	{
		Name: "a copy is the object with its attributes", Rule: "W1",
		Explanation: "bytes, headers and metadata are copied, and the source stays",
		run: func(t *T) {
			for path, b := range t.copyPaths() {
				t.put(b, "a", "text", t.contentType("text/x-test"), t.optional(storage.ContentProperties, storage.WithCacheControl("no-store")),
					t.optional(storage.ContentProperties, storage.WithContentDisposition("inline")),
					t.optional(storage.ContentProperties, storage.WithContentLanguage("de")),
					t.optional(storage.ContentProperties, storage.WithContentEncoding("x-test")),
					t.metadata(map[string]string{"k": "v", "two": "\u00e9"}))
				returned, err := storage.Copy(t.Context(), b, "b", b, "a")
				require.NoError(t, err, path)
				source, copied := t.attrs(b, "a"), t.attrs(b, "b")
				require.Equal(t, source.Properties, copied.Properties, path)
				require.Equal(t, source.Properties, returned.Properties, path)
				require.Equal(t, copied.Revision, returned.Revision, path)
				require.Equal(t, "b", returned.Key)
				require.Equal(t, int64(4), returned.Size)
				t.requireContent(b, "b", "text")
				t.requireContent(b, "a", "text")
			}
		},
	},
	{
		Name: "options replace a copy's attributes one by one", Rule: "W1",
		Explanation: "an option replaces its attribute, and the rest comes from the source",
		Needs:       storage.Metadata | storage.ContentProperties,
		run: func(t *T) {
			for path, b := range t.copyPaths() {
				t.put(b, "a.png", "text", storage.WithCacheControl("no-store"), storage.WithMetadata(map[string]string{"k": "v"}))
				_, err := storage.Copy(t.Context(), b, "b.json", b, "a.png", storage.WithCacheControl("max-age=1"))
				require.NoError(t, err, path)
				attrs := t.attrs(b, "b.json")
				require.Equal(t, "image/png", attrs.ContentType, "%s: the type must come from the source, not from the new extension", path)
				require.Equal(t, "max-age=1", attrs.CacheControl, path)
				require.Equal(t, map[string]string{"k": "v"}, attrs.Metadata, path)
				_, err = storage.Copy(t.Context(), b, "c", b, "a.png", storage.WithMetadata(map[string]string{"new": "1"}), storage.WithContentType("text/x-new"))
				require.NoError(t, err, path)
				attrs = t.attrs(b, "c")
				require.Equal(t, map[string]string{"new": "1"}, attrs.Metadata, path)
				require.Equal(t, "text/x-new", attrs.ContentType, path)
				require.Equal(t, "no-store", attrs.CacheControl, path)
			}
		},
	},
	{
		Name: "a copy onto itself changes attributes", Rule: "W1",
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
		Name: "a copy whose Attrs are not needed", Rule: "W4",
		Explanation: "with WithoutAttrs the copy is the object with its attributes, in fewer requests where the store can, and other options and errors are as without it",
		run: func(t *T) {
			for path, b := range t.copyPaths() {
				t.put(b, "a", "text", t.contentType("text/x-test"), t.metadata(map[string]string{"k": "v"}))
				returned, err := storage.Copy(t.Context(), b, "b", b, "a", storage.WithoutAttrs())
				require.NoError(t, err, path)
				source, copied := t.attrs(b, "a"), t.attrs(b, "b")
				require.Equal(t, source.Properties, copied.Properties, path)
				require.Equal(t, copied.Revision, returned.Revision, path)
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
		Name: "a copy whose Attrs are not needed keeps tags", Rule: "G2",
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
		Name: "a copy of a missing object", Rule: "E2",
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
		Name: "a copy between two buckets", Rule: "W1",
		Explanation: "any bucket copies to any other, in parts if the object is long",
		run: func(t *T) {
			from, to := t.open(), t.openForPartsOrWhole()
			size := int64(1000)
			if t.has(storage.MultipartUploads) {
				size = 2*t.unit + 1
			}
			text := body(size, 1)
			t.put(from, "a", text, t.metadata(map[string]string{"k": "v"}))
			_, err := storage.Copy(t.Context(), to, "b", from, "a")
			require.NoError(t, err)
			t.requireContent(to, "b", text)
			require.Equal(t, t.keptMetadata(map[string]string{"k": "v"}), t.attrs(to, "b").Metadata)
			require.Empty(t, t.keys(to, storage.WithPrefix("a")))
			t.requireMissing(from, "b")
		},
	},
	{
		Name: "a storage class stays with its provider", Rule: "W1",
		Explanation: "a class is one provider's word: a copy from another provider has the destination's default, unless an option sets the class",
		run: func(t *T) {
			from, to := t.open(withForeignProvider()), t.openLimited(faults.Limits{Disable: storage.ServerCopy})
			t.put(from, "a", "text", t.metadata(map[string]string{"k": "v"}))
			t.put(to, "plain", "text")
			for path, target := range map[string]storage.Bucket{"ours": to, "a user's": &observe.CountingBucket{Bucket: to}} {
				require.Equal(t, anotherClass, t.attrs(from, "a").StorageClass)
				_, err := storage.Copy(t.Context(), target, "copy", from, "a")
				require.NoError(t, err, path)
				copied := t.attrs(to, "copy")
				require.Equal(t, t.attrs(to, "plain").StorageClass, copied.StorageClass, path)
				require.Equal(t, t.keptMetadata(map[string]string{"k": "v"}), copied.Metadata, path)
			}
		},
	},
	{
		Name: "a source that changes under a copy is Changed", Rule: "W5",
		Explanation: "the source is pinned to one revision: if it changes, the error is never PreconditionFailed, and the destination stays",
		run: func(t *T) {
			var other storage.Bucket
			b, other := t.openTwice(
				driver.WithLayer(faults.WithLimits(faults.Limits{Disable: storage.ServerCopy})),
				observe.BeforeCall("Get", 2, func() { t.put(other, "a", "another") }),
			)
			t.put(b, "a", body(5000, 1))
			t.put(b, "b", "old")
			t.faults.Set(faults.Cut(faults.Get, 1000).Nth(1))
			_, err := storage.Copy(t.Context(), b, "b", b, "a")
			if err == nil {
				t.requireContent(b, "b", body(5000, 1)) // the provider still had the revision
				return
			}
			t.requireNothingDone(err, storage.Changed)
			require.NotErrorIs(t, err, storage.PreconditionFailed)
			t.requireContent(b, "b", "old")
		},
	},
	{
		Name: "a source that changes before the server's copy is Changed", Rule: "W5",
		Explanation: "the copy is of the revision that was looked at, also inside the provider",
		Needs:       0,
		run: func(t *T) {
			if !t.has(storage.ServerCopy) {
				return // the streamed copy has its own case
			}
			var other storage.Bucket
			b, other := t.openTwice(observe.BeforeCall("Copy", 1, func() { t.put(other, "a", "another") }))
			t.put(b, "a", "one", t.metadata(map[string]string{"of": "one"}))
			_, err := storage.Copy(t.Context(), b, "b", b, "a")
			if err != nil {
				t.requireNothingDone(err, storage.Changed)
				t.requireMissing(b, "b")
				return
			}
			require.NotEqual(t, "one another", t.get(b, "b"))
			require.Equal(t, t.get(b, "b") == "one" && t.has(storage.Metadata), t.attrs(b, "b").Metadata["of"] == "one", "bytes and attributes must belong together")
		},
	},
	{
		Name: "a source that is removed before the server's copy is Changed or missing", Rule: "E2",
		Explanation: "the error is never BucketNotFound, because the bucket exists, and the destination stays",
		run: func(t *T) {
			if !t.has(storage.ServerCopy) {
				return // the streamed copy has its own case
			}
			for _, size := range []int64{1, 5000} {
				var other storage.Bucket
				b, other := t.openTwice(observe.BeforeCall("Copy", 1, func() { require.NoError(t, other.Remove(t.Context(), "a")) }))
				t.put(b, "a", body(size, 1))
				_, err := storage.Copy(t.Context(), b, "b", b, "a")
				require.Contains(t, []storage.Code{storage.Changed, storage.ObjectNotFound}, storage.CodeOf(err), "%v", err)
				t.requireMissing(b, "b")
			}
		},
	},
	{
		Name: "IfAbsent of a copy is fs.ErrExist", Rule: "W5",
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
		Name: "objects are composed in order", Rule: "W1",
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
				returned, err := storage.Compose(t.Context(), b, "all.json", append(slices.Clone(keys), "empty", "a"), t.metadata(map[string]string{"k": "v"}))
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

// movePaths returns one bucket that moves in one step, if it can, and one that copies and removes.
func (t *T) movePaths(opts ...storage.OpenOption) map[string]storage.Bucket {
	return map[string]storage.Bucket{"in one step": t.open(opts...), "by a copy": openCopiedMoves(t, opts...)}
}

func openCopiedMoves(t *T, opts ...storage.OpenOption) storage.Bucket {
	return t.open(append(opts, limitedBy(storage.ServerMove))...)
}

var moveCases = []Case{
	{
		Name: "a moved object is the object under another key", Rule: "W15",
		Explanation: "bytes, headers and metadata are those of the source, which is gone, and an object at the destination is replaced",
		run: func(t *T) {
			for path, b := range t.movePaths() {
				t.puts(b, "folder/b")
				for _, keys := range [][2]string{{"a", "folder/b"}, {"folder/b", "c/d/e"}, {"c/d/e", "a"}} {
					if keys[0] == "a" {
						t.put(b, "a", "text", t.contentType("text/x-test"), t.optional(storage.ContentProperties, storage.WithCacheControl("no-store")), t.metadata(map[string]string{"k": "v", "two": "\u00e9"}))
					}
					source := t.attrs(b, keys[0])
					returned, err := storage.Move(t.Context(), b, keys[0], keys[1])
					require.NoError(t, err, path)
					moved := t.attrs(b, keys[1])
					require.Equal(t, source.Properties, moved.Properties, path)
					require.Equal(t, source.Properties, returned.Properties, path)
					require.Equal(t, source.CRC32C, moved.CRC32C, path)
					require.Equal(t, moved.Revision, returned.Revision, path)
					require.Equal(t, keys[1], returned.Key)
					require.Equal(t, int64(4), returned.Size)
					t.requireContent(b, keys[1], "text")
					require.Equal(t, []string{keys[1]}, t.keys(b), path)
				}
			}
		},
	},
	{
		Name: "a moved object keeps its tags", Rule: "G2",
		Explanation: "the tags are those of the source, or of WithTags",
		Needs:       storage.ObjectTags,
		run: func(t *T) {
			for path, b := range t.movePaths() {
				t.put(b, "a", "x", storage.WithTags(map[string]string{"of": "source"}))
				_, err := storage.Move(t.Context(), b, "a", "b")
				require.NoError(t, err, path)
				t.requireTags(b, "b", map[string]string{"of": "source"})
				_, err = storage.Move(t.Context(), b, "b", "c", storage.WithTags(map[string]string{"of": "move"}))
				require.NoError(t, err, path)
				t.requireTags(b, "c", map[string]string{"of": "move"})
				require.Equal(t, []string{"c"}, t.keys(b), path)
			}
		},
	},
	{
		Name: "a move in a bucket that keeps versions", Rule: "W15",
		Explanation: "the old versions of both keys stay",
		Needs:       storage.Versioning,
		run: func(t *T) {
			for path, b := range map[string]storage.Bucket{"in one step": t.openVersioned(), "by a copy": t.openVersioned(limitedBy(storage.ServerMove))} {
				first, second := t.put(b, "a", "one"), t.put(b, "b", "two")
				moved, err := storage.Move(t.Context(), b, "a", "b")
				require.NoError(t, err, path)
				require.NotEqual(t, second.Version, moved.Version, path)
				require.Equal(t, []string{"b"}, t.keys(b), path)
				t.requireContent(b, "b", "one")
				require.Equal(t, "one", t.get(b, "a", storage.WithVersion(first.Version)), path)
				require.Equal(t, "two", t.get(b, "b", storage.WithVersion(second.Version)), path)
			}
		},
	},
	{
		Name: "a move that is refused changes nothing", Rule: "W15",
		Explanation: "a missing source is ObjectNotFound with its key; a version, the same key and a key that cannot be written are InvalidArgument, before any request",
		run: func(t *T) {
			for path, b := range t.movePaths() {
				t.puts(b, "a", "b")
				_, err := storage.Move(t.Context(), b, "missing", "b")
				require.Equal(t, "missing", t.requireNothingDone(err, storage.ObjectNotFound).Key, path)
				_, err = storage.Move(t.Context(), storage.Prefixed(b, "p/"), "missing", "b")
				require.Equal(t, "missing", t.requireNothingDone(err, storage.ObjectNotFound).Key, path)
				t.requireNoRequests(func() {
					for _, to := range []string{"a", "", "b/", "../b"} {
						_, err := storage.Move(t.Context(), b, "a", to)
						require.Equal(t, "Move", t.requireNothingDone(err, storage.InvalidArgument).Op, path)
					}
					_, err = storage.Move(t.Context(), b, "a", "c", storage.WithVersion("1"))
					t.requireNothingDone(err, storage.InvalidArgument)
					_, err = storage.Move(t.Context(), storage.Prefixed(b, "p"), "a", "c")
					t.requireNothingDone(err, storage.InvalidArgument)
				})
				t.requireContent(b, "a", "a")
				t.requireContent(b, "b", "b")
			}
		},
	},
	{
		Name: "IfAbsent guards the destination of a move", Rule: "W15",
		Explanation: "an object there stays, and so does the source; of several moves to one key one succeeds",
		Needs:       storage.ConditionalCreate,
		run: func(t *T) {
			for path, b := range t.movePaths() {
				t.puts(b, "a", "b")
				_, err := storage.Move(t.Context(), b, "a", "b", storage.IfAbsent())
				t.requireNothingDone(err, storage.PreconditionFailed)
				require.ErrorIs(t, err, fs.ErrExist, path)
				require.Equal(t, []string{"a", "b"}, t.keys(b), path)
				t.requireContent(b, "b", "b")
				t.puts(b, "0", "1", "2", "3")
				t.requireOneWinner(4, func(i int) error {
					_, err := storage.Move(t.Context(), b, strconv.Itoa(i), "to", storage.IfAbsent())
					return err
				}, func(winner int) {
					t.requireContent(b, "to", strconv.Itoa(winner))
					require.Len(t, t.keys(b), 6, path)
				})
			}
		},
	},
	{
		Name: "IfRevision guards the destination of a move", Rule: "W15",
		Explanation: "another revision than the given one stays, and so does the source",
		Needs:       storage.ConditionalUpdate,
		run: func(t *T) {
			for path, b := range t.movePaths() {
				old := t.put(b, "b", "old")
				now := t.put(b, "b", "new")
				t.puts(b, "a")
				_, err := storage.Move(t.Context(), b, "a", "b", storage.IfRevision(old.Revision))
				t.requireNothingDone(err, storage.PreconditionFailed)
				require.Equal(t, []string{"a", "b"}, t.keys(b), path)
				_, err = storage.Move(t.Context(), b, "a", "b", storage.IfRevision(now.Revision))
				require.NoError(t, err, path)
				require.Equal(t, []string{"b"}, t.keys(b), path)
			}
		},
	},
	{
		Name: "a source that is replaced while it is copied stays", Rule: "W15",
		Explanation: "a move by a copy removes only what it has copied: the error is Changed with the source's key, and both are there",
		Needs:       storage.ConditionalRemove,
		run: func(t *T) {
			var other storage.Bucket
			b, other := t.openTwice(limitedBy(storage.ServerMove), observe.BeforeCall("Delete", 1, func() { t.put(other, "a", "newer") }))
			t.put(b, "a", "old")
			_, err := storage.Move(t.Context(), b, "a", "b")
			require.Equal(t, "a", t.requireCode(err, storage.Changed).Key)
			t.requireContent(b, "a", "newer")
			t.requireContent(b, "b", "old")
		},
	},
	{
		Name: "a move whose response was lost is not repeated", Rule: "W15",
		Explanation: "the source may be another object by then, which would replace the one that was moved; a missing source is OutcomeUnknown, and never ObjectNotFound",
		Needs:       storage.ServerMove,
		run: func(t *T) {
			for name, lost := range map[string]faults.Rule{
				"without a response":    faults.DropResponse(faults.Move).Nth(1),
				"as the store was busy": faults.DropResponse(faults.Move).Nth(1).WithError(storage.RateLimited),
			} {
				b := t.open()
				t.put(b, "a", "x")
				t.faults.Reset()
				t.faults.Set(lost)
				_, err := storage.Move(t.Context(), b, "a", "b")
				t.faults.Set()
				require.ErrorIs(t, err, storage.OutcomeUnknown, name)
				require.Equal(t, []string{"b"}, t.keys(b), name)
			}
			b := t.open()
			t.put(b, "a", "x")
			t.faults.Set(faults.Fail(faults.Move).Nth(1))
			_, err := storage.Move(t.Context(), b, "a", "b")
			require.NoError(t, err, "nothing was done, and the request is repeated")
			require.Equal(t, []string{"b"}, t.keys(b))
		},
	},
	{
		Name: "hooks see a move", Rule: "O2",
		Explanation: "in one step it is one operation with both keys, and a hook that refuses one of them refuses the move",
		Needs:       storage.ServerMove,
		run: func(t *T) {
			l := &hookRecorder{}
			b := t.open(storage.WithHook(l.hook))
			t.puts(b, "secret", "plain")
			l.refuse = func(op storage.Operation) error {
				if op.Name == "Move" && (op.Key == "secret" || slices.Contains(op.Keys, "secret")) {
					return errBoom
				}
				return nil
			}
			_, err := storage.Move(t.Context(), b, "secret", "out")
			t.requireNothingDone(err, storage.PermissionDenied)
			_, err = storage.Move(t.Context(), b, "plain", "secret")
			t.requireNothingDone(err, storage.PermissionDenied)
			require.Equal(t, []string{"plain", "secret"}, t.keys(b))
		},
	},
}

// anotherClass is a storage class that no provider has.
const anotherClass = "ANOTHERS_CLASS"

// withForeignProvider returns a layer that presents the store as another provider's,
// whose objects have their own storage class.
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
	return classed(attrs), err
}

func (d *foreignDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
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
