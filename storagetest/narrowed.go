package storagetest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/storagetest/internal/cores"
)

// A grant is one permission on a bucket. The function narrow returns a reference to the bucket with
// only that permission. methods lists the methods that the permission includes.
type grant struct {
	name    string
	narrow  func(storage.Bucket) any
	methods []string
}

var grants = []grant{
	{"Uploader", func(b storage.Bucket) any { return storage.Ref[storage.Uploader](b) }, []string{"Upload"}},
	{
		"Downloader", func(b storage.Bucket) any { return storage.Ref[storage.Downloader](b) },
		[]string{"Download", "ReadAll", "ReadRanges"},
	},
	{"Lister", func(b storage.Bucket) any { return storage.Ref[storage.Lister](b) }, []string{"List", "ListPage"}},
	{
		"AttrsReader", func(b storage.Bucket) any { return storage.Ref[storage.AttrsReader](b) },
		[]string{"Attrs", "Exists"},
	},
	{"Remover", func(b storage.Bucket) any { return storage.Ref[storage.Remover](b) }, []string{"Remove", "RemoveAll"}},
	{
		"SignedUploader", func(b storage.Bucket) any { return storage.Ref[storage.SignedUploader](b) },
		[]string{"SignedUploadURL"},
	},
	{
		"SignedDownloader", func(b storage.Bucket) any { return storage.Ref[storage.SignedDownloader](b) },
		[]string{"SignedDownloadURL"},
	},
	{"PublicLinker", func(b storage.Bucket) any { return storage.Ref[storage.PublicLinker](b) }, []string{"PublicURL"}},
}

var refCases = []Case{
	{
		Name:        "a reference has its one permission and no other",
		Rule:        "O3",
		Explanation: "a method of Bucket that was not granted returns PermissionDenied and makes no request, also if it is reached by a type assertion",
		run: func(t *T) {
			for _, g := range grants {
				b := t.open()
				t.put(b, "key", "x")
				widened, ok := g.narrow(b).(storage.Bucket)
				if !ok {
					continue // the reference has no other methods to try
				}
				for name, err := range everyOperation(t, widened, "key") {
					if !slices.Contains(g.methods, name) {
						require.Equal(t, storage.PermissionDenied, storage.CodeOf(err), "%s through %s: %v", name,
							g.name, err)
						continue
					}
					require.NotErrorIs(t, err, storage.PermissionDenied, "%s through %s", name, g.name)
				}
				before := t.snapshot(b)
				require.NotContains(t, before, `"to"`)
			}
		},
	},
	{
		Name:        "a reference is not widened by what is built on it",
		Rule:        "O3",
		Explanation: "Ref, Prefixed, As, Close and every function of the package keep the restriction, and no driver is called",
		run: func(t *T) {
			b := t.open()
			t.put(b, "p/key", "x")
			for _, g := range grants {
				widened, ok := g.narrow(b).(storage.Bucket)
				if !ok {
					continue
				}
				_, exists := storage.As[any](widened)
				require.False(t, exists, g.name)
				require.NoError(t, storage.Close(widened), g.name)
				for path, other := range map[string]storage.Bucket{
					"Prefixed":        storage.Prefixed(widened, "p/"),
					"Ref":             storage.Ref[storage.Bucket](widened),
					"Ref of Prefixed": storage.Ref[storage.Bucket](storage.Prefixed(widened, "p/")),
				} {
					for name, err := range everyOperation(t, other, "missing") {
						if !slices.Contains(g.methods, name) {
							require.Equal(
								t, storage.PermissionDenied, storage.CodeOf(err), "%s through %s of %s: %v", name,
								path, g.name, err,
							)
						}
					}
				}
			}
			t.requireExists(b, "p/key")
			_, ok := storage.As[any](storage.Ref[storage.Bucket](b))
			require.False(t, ok, "Ref to all methods")
		},
	},
	{
		Name:        "a refused operation makes no request",
		Rule:        "O3",
		Explanation: "a refused operation makes no driver call",
		run: func(t *T) {
			b := t.open()
			t.put(b, "key", "x")
			widened, ok := storage.Ref[storage.PublicLinker](b).(storage.Bucket)
			if !ok {
				return
			}
			t.requireNoRequests(func() {
				for name, err := range everyOperation(t, widened, "key") {
					if name != "PublicURL" {
						require.Equal(t, storage.PermissionDenied, storage.CodeOf(err), "%s: %v", name, err)
					}
				}
			})
		},
	},
	{
		Name:        "a copy needs both permissions",
		Rule:        "O3",
		Explanation: "a copy needs Download for the source and Upload for the destination, also on the fast path inside the provider",
		run: func(t *T) {
			b := t.open()
			t.puts(b, "a", "b")
			reader := storage.Ref[storage.Downloader](b)
			writer := storage.Ref[storage.Uploader](b)
			_, err := storage.Copy(t.Context(), writer, "copied", reader, "a")
			require.NoError(t, err)
			t.requireContent(b, "copied", "a")
			if widened, ok := any(reader).(storage.Uploader); ok {
				_, err = storage.Copy(t.Context(), widened, "evil", reader, "a")
				t.requireNothingDone(err, storage.PermissionDenied)
			}
			if widened, ok := any(writer).(storage.Downloader); ok {
				_, err = storage.Copy(t.Context(), writer, "evil", widened, "a")
				t.requireNothingDone(err, storage.PermissionDenied)
			}
			if widened, ok := any(writer).(storage.Bucket); ok {
				_, err = storage.Compose(t.Context(), widened, "evil", []string{"a", "b"})
				t.requireNothingDone(err, storage.PermissionDenied)
				_, err = storage.Move(t.Context(), widened, "a", "evil")
				t.requireNothingDone(err, storage.PermissionDenied)
				if t.has(storage.ConditionalCreate | storage.ConditionalUpdate) {
					_, err = storage.Update(t.Context(), widened, "evil", increment)
					t.requireCode(err, storage.PermissionDenied)
				}
				t.requireCode(readByte(t, widened, "a"), storage.PermissionDenied)
				for _, err := range storage.Versions(t.Context(), widened) {
					require.True(t, errors.Is(err, storage.PermissionDenied) || errors.Is(err, storage.Unsupported),
						"%v", err)
				}
			}
			t.requireMissing(b, "evil")
		},
	},
	{
		Name:        "permissions combine by embedding",
		Rule:        "O3",
		Explanation: "a reference with several permissions has all of them, and the fast paths with the same rights",
		run: func(t *T) {
			b := t.open()
			ref := storage.Ref[interface {
				storage.Uploader
				storage.Lister
				storage.Remover
			}](b)
			t.put(ref, "a", "x")
			require.Equal(t, []string{"a"}, t.keys(ref))
			n, err := storage.RemoveMatching(t.Context(), ref, nil)
			require.NoError(t, err)
			require.Equal(t, 1, n)
			parent := storage.Ref[storage.ReadWriter](b)
			t.put(parent, "b", "y")
			t.requireContent(parent, "b", "y")
			require.Equal(t, storage.Supports(b, driver.StreamingPut), storage.Supports(parent, driver.StreamingPut))
		},
	},
	{
		Name:        "a reference to a method that Bucket lacks panics",
		Rule:        "O3",
		Explanation: "it is a programmer's mistake, which shows when the program starts",
		run: func(t *T) {
			b := t.open()
			for name, narrow := range map[string]func(){
				"a foreign method": func() {
					storage.Ref[fmt.Stringer](b)
				},
				"no method": func() {
					storage.Ref[any](b)
				},
				"no interface": func() {
					storage.Ref[string](b)
				},
				"another signature": func() {
					storage.Ref[interface{ Upload(string) error }](b)
				},
			} {
				require.Panics(t, narrow, name)
			}
		},
	},
}

var prefixedCases = []Case{
	{
		Name:        "a prefixed bucket is a bucket of its own",
		Rule:        "K5",
		Explanation: "keys gain the prefix on the way in and lose it on the way out, and nothing outside is listed or reached",
		run: func(t *T) {
			parent := t.open()
			t.puts(parent, "a", "users/10", "users/1/own", "users/2/x")
			b := storage.Prefixed(parent, "users/1/")
			require.Equal(t, "a/b", t.put(b, "a/b", "inner").Key)
			require.Equal(t, []string{"a/b", "own"}, t.keys(b))
			require.Equal(t, []string{">a/", "own"}, t.keys(b, storage.WithDelimiter("/")))
			if t.has(storage.OrderedListing) {
				require.Equal(t, []string{"own"}, t.keys(b, storage.WithStartAfter("a/b")))
			}
			require.Equal(t, "a/b", t.attrs(b, "a/b").Key)
			t.requireContent(b, "own", "users/1/own")
			t.requireContent(parent, "users/1/a/b", "inner")
			t.requireMissing(b, "users/1/own")

			attrs, err := storage.Copy(t.Context(), b, "copy", b, "own")
			require.NoError(t, err)
			require.Equal(t, "copy", attrs.Key)
			n, err := storage.RemoveMatching(t.Context(), b, nil)
			require.NoError(t, err)
			require.Equal(t, 3, n)
			require.Equal(t, []string{"a", "users/10", "users/2/x"}, t.keys(parent))
		},
	},
	{
		Name:        "a prefix within a prefix",
		Rule:        "K5",
		Explanation: "prefixes add up, and a copy between views of one bucket keeps them apart",
		run: func(t *T) {
			parent := t.open()
			inner := storage.Prefixed(storage.Prefixed(parent, "a/"), "b/")
			t.put(inner, "x", "text")
			t.requireContent(parent, "a/b/x", "text")
			other := storage.Prefixed(parent, "c/")
			_, err := storage.Copy(t.Context(), other, "y", inner, "x")
			require.NoError(t, err)
			require.Equal(t, []string{"a/b/x", "c/y"}, t.keys(parent))
			_, err = storage.Compose(t.Context(), inner, "z", []string{"x", "x"})
			require.NoError(t, err)
			t.requireContent(parent, "a/b/z", "texttext")
		},
	},
	{
		Name:        "no key leads out of a prefix",
		Rule:        "K5",
		Explanation: "../ is refused, and so are an empty key, although an object may have the name of the prefix, and one that is too long together with the prefix",
		run: func(t *T) {
			b := storage.Prefixed(t.open(), "p/")
			t.requireNoRequests(func() {
				for _, key := range []string{"../x", "a/../../x", "..", "/x", "", strings.Repeat("k", 1023)} {
					_, err := b.Upload(t.Context(), key, strings.NewReader("x"))
					t.requireNothingDone(err, storage.InvalidArgument)
				}
				for _, key := range []string{"../x", "..", "", strings.Repeat("k", 1023)} {
					_, err := b.Attrs(t.Context(), key)
					t.requireCode(err, storage.InvalidArgument)
					t.requireNothingDone(b.Remove(t.Context(), key), storage.InvalidArgument)
				}
			})
		},
	},
	{
		Name:        "a prefix is whole segments",
		Rule:        "K5",
		Explanation: `users/1 would reach users/10: a prefix that is empty or does not end in "/" makes every operation fail with InvalidArgument`,
		run: func(t *T) {
			parent := t.open()
			t.requireNoRequests(func() {
				for _, prefix := range []string{"", "users/1", "/", "/a/", "a//", "../", "a/../b/", "a\x00/", "./"} {
					b := storage.Prefixed(parent, prefix)
					for name, err := range everyOperation(t, b, "key") {
						require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%s under %q: %v", name, prefix, err)
					}
				}
			})
		},
	},
	{
		Name:        "errors lose the prefix, hooks see the whole key",
		Rule:        "K5",
		Explanation: "Error.Key is the key that the caller gave; a hook guards the bucket and sees the whole key",
		run: func(t *T) {
			var mu sync.Mutex
			var seen []string
			parent := t.open(
				storage.WithHook(
					func(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
						mu.Lock()
						defer mu.Unlock()
						seen = append(seen, op.Key)
						return ctx, nil, nil
					},
				),
			)
			_, err := storage.Prefixed(parent, "p/").Attrs(t.Context(), "missing")
			require.Equal(t, "missing", t.requireCode(err, storage.ObjectNotFound).Key)
			require.Equal(t, []string{"p/missing"}, seen)
		},
	},
	{
		Name:        "a user's error keeps its cause under a prefix",
		Rule:        "K5",
		Explanation: "if a user's Core wraps an error of this package, the view keeps the wrapping and removes only the prefix from the key",
		run: func(t *T) {
			b := storage.Prefixed(
				t.wrap(t.open(), func(c storage.Core) storage.Core { return cores.Refusing{Core: c, Err: errBoom} }),
				"p/",
			)
			for path, err := range map[string]error{
				"Prefixed": b.Remove(t.Context(), "x"),
				"Ref":      storage.Ref[storage.Remover](b).Remove(t.Context(), "x"),
			} {
				require.Equal(t, "x", t.requireCode(err, storage.PermissionDenied).Key, path)
				require.ErrorIs(t, err, errBoom, path)
				require.ErrorIs(t, err, fs.ErrPermission, path)
				require.Contains(t, err.Error(), "no more today: ", path)
				require.NotContains(t, err.Error(), "p/x", path)
			}
		},
	},
	{
		Name:        "a failing reader loses the prefix",
		Rule:        "K5",
		Explanation: "an error of Read in the middle has the key that the caller gave, also through a user's Core",
		run: func(t *T) {
			parent := t.openWithoutRetry()
			t.put(parent, "p/a", body(5000, 1))
			for path, b := range map[string]storage.Bucket{
				"ours":          storage.Prefixed(parent, "p/"),
				"a user's Core": storage.Prefixed(t.wrapped(parent), "p/"),
			} {
				t.faults.Set(faults.Cut(faults.Get, 1000))
				_, _, err := storage.ReadAll(t.Context(), b, "a")
				require.Equal(t, "a", t.requireCode(err, storage.Unavailable).Key, path)
				t.faults.Set()
			}
		},
	},
	{
		Name:        "a page token belongs to its prefix",
		Rule:        "K5",
		Explanation: "a token from one view is invalid in another",
		run: func(t *T) {
			parent := t.open()
			t.puts(parent, "p/a", "p/b", "q/a", "q/b")
			page, err := storage.ListPage(
				t.Context(), storage.Prefixed(parent, "p/"), "",
				t.anyOrder(storage.WithPageSize(1))...)
			require.NoError(t, err)
			first := page.Entries[0].Key
			require.NotEmpty(t, page.Token)
			_, err = storage.ListPage(
				t.Context(), storage.Prefixed(parent, "q/"), page.Token,
				t.anyOrder(storage.WithPageSize(1))...)
			t.requireCode(err, storage.InvalidArgument)
			next, err := storage.ListPage(
				t.Context(), storage.Prefixed(parent, "p/"), page.Token,
				t.anyOrder(storage.WithPageSize(1))...)
			require.NoError(t, err)
			require.ElementsMatch(t, []string{"a", "b"}, []string{first, next.Entries[0].Key})
		},
	},
	{
		Name:        "As finds nothing under a prefix",
		Rule:        "K5",
		Explanation: "the provider's client is not returned, because it ignores the prefix, and Close of a view does nothing",
		run: func(t *T) {
			parent := t.open()
			b := storage.Prefixed(parent, "p/")
			_, ok := storage.As[any](b)
			require.False(t, ok)
			require.NoError(t, storage.Close(b))
			t.put(parent, "a", "still open")
		},
	},
}

// everyOperation calls each method of Bucket and each function that takes a bucket and a key, and
// returns the errors by name.
func everyOperation(t *T, b storage.Bucket, key string) map[string]error {
	errs := map[string]error{}

	// The methods of Bucket.
	_, errs["Upload"] = b.Upload(t.Context(), key, strings.NewReader("x"))
	reader, err := b.Download(t.Context(), key)
	errs["Download"] = err
	if err == nil {
		require.NoError(t, reader.Close())
	}
	_, errs["Attrs"] = b.Attrs(t.Context(), key)
	_, errs["Exists"] = b.Exists(t.Context(), key)
	errs["Remove"] = b.Remove(t.Context(), key)
	for _, err := range b.List(t.Context(), t.anyOrder()...) {
		errs["List"] = err
	}
	_, errs["SignedUploadURL"] = b.SignedUploadURL(t.Context(), key)
	_, errs["SignedDownloadURL"] = b.SignedDownloadURL(t.Context(), key)
	_, errs["PublicURL"] = b.PublicURL(key)

	// The functions that take a bucket.
	_, errs["ListPage"] = storage.ListPage(t.Context(), b, "", t.anyOrder()...)
	_, errs["RemoveAll"] = storage.RemoveAll(t.Context(), b, slices.Values([]string{key}))
	_, errs["RemoveMatching"] = storage.RemoveMatching(t.Context(), b, nil)
	_, errs["Copy"] = storage.Copy(t.Context(), b, "to", b, key)
	_, errs["Compose"] = storage.Compose(t.Context(), b, "to", []string{key})
	_, errs["Move"] = storage.Move(t.Context(), b, key, "to")
	if t.has(appends) {
		_, errs["Append"] = storage.Append(t.Context(), b, key, []byte("x"))
	}
	_, _, errs["ReadAll"] = storage.ReadAll(t.Context(), b, key)
	_, _, errs["ReadRanges"] = storage.ReadRanges(t.Context(), b, key, []storage.Range{{Offset: 0, Length: 1}})
	errs["NewReaderAt"] = readByte(t, b, key)
	return errs
}

// readByte opens key for random access, which reads only its attributes, and then reads one byte.
func readByte(t *T, b storage.Bucket, key string) error {
	r, err := storage.NewReaderAt(t.Context(), b, key)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = r.ReadAt(make([]byte, 1), 0)
	return err
}

// firstOf3 drops the second of three results, so that the others can be passed to second.
func firstOf3[A, B any](a A, _ B, err error) (A, error) { return a, err }

// resumedViewCases are cases about resume files of uploads in a prefixed bucket.
var resumedViewCases = []Case{
	{
		Name:        "a view leaves the upload of another prefix",
		Rule:        "W13",
		Explanation: "if the file of WithResume describes an upload outside of the prefix, that is not aborted, and can still be resumed",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			h := t.interruptUpload(bodies["in place"])
			file, err := os.ReadFile(h.path)
			require.NoError(t, err)

			other := &interruptedUpload{
				bucket: storage.Prefixed(h.bucket, "b/"),
				text:   body(2*t.unit+1, 2),
				path:   h.path,
			}
			attrs, err := t.upload(t.Context(), other, strings.NewReader(other.text))
			require.NoError(t, err)
			require.Equal(t, int64(len(other.text)), attrs.Size)
			t.requireContent(h.bucket, "b/a", other.text)
			require.NoFileExists(t, h.path)
			require.Zero(t, t.faults.Count(faults.AbortParts), "%v", t.faults)

			t.faults.Reset()
			require.NoError(t, os.WriteFile(h.path, file, 0o600))
			attrs, err = t.upload(t.Context(), h, strings.NewReader(h.text))
			require.NoError(t, err)
			require.Zero(t, t.faults.Count(faults.BeginParts), "%v", t.faults)
			require.GreaterOrEqual(t, t.faults.Count(faults.PutPart), t.partsLeft(1),
				"a busy store gets a part again: %v", t.faults)
			t.requireCompleted(h, attrs, h.text)
		},
	},
}
