package storagetest

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/internal/cores"
	"github.com/omnibucket/storage/storagetest/internal/observe"
)

// wrapped returns a bucket with a Core that a user might have written. This Core wraps the Core of
// b.
func (t *T) wrapped(b storage.Bucket) storage.Bucket {
	t.Helper()
	counted, _ := t.counting(b)
	return counted
}

// counting wraps b in a Core that counts its calls, and returns both.
func (t *T) counting(b storage.Bucket) (storage.Bucket, *observe.CountingCore) {
	t.Helper()
	counted, counter, err := observe.Counting(b)
	require.NoError(t, err)
	return counted, counter
}

// wrap calls storage.Wrap, and requires that it succeeds.
func (t *T) wrap(b storage.Bucket, wrapper func(storage.Core) storage.Core) storage.Bucket {
	t.Helper()
	wrapped, err := storage.Wrap(b, wrapper)
	require.NoError(t, err)
	return wrapped
}

// hiding wraps b in two Cores. The outer one hides objects from listings, and the inner one only
// counts calls.
func (t *T) hiding(b storage.Bucket) storage.Bucket {
	t.Helper()
	return t.wrap(t.wrapped(b), func(c storage.Core) storage.Core { return cores.Hiding{Core: c} })
}

var userCoreCases = []Case{
	{
		Name: "a Core that embeds keeps its overrides",
		Rule: "O3",
		Explanation: "the methods and functions call the overridden methods with whole keys, also " +
			"through Ref and Prefixed",
		run: func(t *T) {
			b, calls := t.counting(t.open())
			view := storage.Prefixed(b, "p/")
			t.put(b, "a", "text")
			t.put(view, "b", "text")
			t.put(storage.Ref[storage.Uploader](b), "c", "text")
			t.put(storage.Ref[storage.Uploader](view), "d", "text")
			t.writeInEveryWay(view)
			require.Equal(t, []string{"a", "p/b", "c", "p/d", "p/written", "p/file"}, calls.Uploads)
			t.readInEveryWay(view, "file")
			require.Equal(t, slices.Repeat([]string{"p/file"}, 5), calls.Downloads)
			require.NoError(t, view.Remove(t.Context(), "d"), "which is not overridden")
			remover := storage.Ref[storage.Remover](view)
			n, err := storage.RemoveAll(t.Context(), remover, slices.Values([]string{"b", "written"}))
			require.NoError(t, err)
			require.Equal(t, 2, n)
			require.Equal(t, []string{"p/b", "p/written"}, calls.Removals)
			if t.has(appends) {
				_, err = storage.Update(t.Context(), view, "counter", increment)
				require.NoError(t, err)
				require.Equal(t, "p/counter", calls.Uploads[6])
			}
			require.Subset(t, t.keys(b), []string{"a", "c", "p/file"})
		},
	},
	{
		Name: "a copy asks the destination's Core, and reads what the source's Core gives",
		Rule: "O3",
		Explanation: "Copy calls CopyFrom with whole keys, and not Upload; the source is what " +
			"Source returns: by default an object that the server may copy, else one that is streamed by " +
			"Download",
		run: func(t *T) {
			for path, parent := range t.copyPaths() {
				t.put(parent, "a", "text")
				b, calls := t.counting(parent)
				_, err := storage.Copy(t.Context(), b, "b", b, "a")
				require.NoError(t, err, path)
				_, err = storage.Copy(t.Context(), storage.Ref[storage.Uploader](storage.Prefixed(b, "p/")), "c", parent, "a")
				require.NoError(t, err, path)
				require.Equal(t, []string{"b", "p/c"}, calls.Copies[:2], path)
				require.Empty(t, append(calls.Uploads, calls.Downloads...), path)

				calls.Streams = true
				_, err = storage.Copy(t.Context(), parent, "d", storage.Ref[storage.Downloader](b), "a")
				require.NoError(t, err, path)
				_, err = storage.Copy(t.Context(), parent, "e", storage.Prefixed(b, "p/"), "missing")
				require.Equal(t, "missing", t.requireNothingDone(err, storage.ObjectNotFound).Key, path)
				require.Equal(t, []string{"a", "p/missing"}, calls.Downloads, path)
				t.requireContent(parent, "d", "text")
				t.requireMissing(parent, "e")
			}
		},
	},
	{
		Name:        "an append asks the Core for a copy onto the object",
		Rule:        "O3",
		Explanation: "Append calls CopyFrom with the whole key, and not Upload",
		Needs:       appends,
		run: func(t *T) {
			for path, parent := range t.copyPaths() {
				t.put(parent, "p/c", "text")
				b, calls := t.counting(parent)
				attrs, err := storage.Append(t.Context(), storage.Prefixed(b, "p/"), "c", []byte("more"))
				require.NoError(t, err, path)
				require.Equal(t, "c", attrs.Key, path)
				require.Equal(t, []string{"p/c"}, calls.Copies, path)
				require.Empty(t, append(calls.Uploads, calls.Downloads...), path)
				t.requireContent(parent, "p/c", "textmore")
			}
		},
	},
	{
		Name:        "a Core that embeds loses nothing",
		Rule:        "O3",
		Explanation: "what it does not override passes on: pages, features and the provider's client",
		run: func(t *T) {
			parent := t.open()
			b := t.hiding(parent)
			t.puts(b, "a", "hidden")
			require.Equal(t, []string{"a"}, t.keys(b))
			for f := range eachFeature {
				require.Equal(t, storage.Supports(parent, f), storage.Supports(b, f), f)
			}
			native, ok := storage.As[any](b)
			expected, expectedFound := storage.As[any](parent)
			require.Equal(t, expectedFound, ok)
			require.Equal(t, fmt.Sprintf("%T", expected), fmt.Sprintf("%T", native))
		},
	},
	{
		Name:        "a Core that embeds passes on tags",
		Rule:        "O3",
		Explanation: "what it stores is there without it, and the other way round",
		Needs:       storage.ObjectTags,
		run: func(t *T) {
			parent := t.open()
			b := t.hiding(parent)
			t.put(parent, "a", "x")
			require.NoError(t, storage.SetTags(t.Context(), b, "a", map[string]string{"k": "v"}))
			t.requireTags(parent, "a", map[string]string{"k": "v"})
			t.requireTags(b, "a", map[string]string{"k": "v"})
		},
	},
	{
		Name:        "a Core that embeds lists versions",
		Rule:        "O3",
		Explanation: "all of its store",
		Needs:       storage.Versioning,
		run: func(t *T) {
			parent := t.openVersioned()
			b := t.hiding(parent)
			t.puts(b, "a", "a")
			require.Equal(t, versionIDs(t.versions(parent)), versionIDs(t.versions(b)))
		},
	},
	{
		Name:        "a Core that embeds passes on an open upload",
		Rule:        "U1",
		Explanation: "its token continues without it",
		Needs:       storage.OpenUploads,
		run: func(t *T) {
			parent := t.open()
			u := t.begin(storage.Prefixed(t.hiding(parent), "p/"), "upload")
			second := t.continueUpload(storage.Prefixed(parent, "p/"), u)
			require.Equal(t, "upload", second.Key())
			require.NoError(t, second.Abort(t.Context()))
		},
	},
	{
		Name:        "Wrap refuses what is not a whole bucket",
		Rule:        "O3",
		Explanation: "who holds a result of Ref or Prefixed must not reach the rest, and a bucket has a Core",
		run: func(t *T) {
			b := t.open()
			unchanged := func(c storage.Core) storage.Core { return c }
			never := func(storage.Core) storage.Core {
				require.Fail(t, "a Core was given away")
				return nil
			}
			for name, narrowed := range map[string]storage.Bucket{
				"Prefixed":                  storage.Prefixed(b, "p/"),
				"Ref":                       storage.Ref[storage.Downloader](b).(storage.Bucket),
				"Ref to all methods":        storage.Ref[storage.Bucket](b),
				"Ref of a wrapped bucket":   storage.Ref[storage.Downloader](t.wrap(b, unchanged)).(storage.Bucket),
				"Prefixed of another value": storage.Prefixed(&embedding{Bucket: b}, "p/"),
				"no Core":                   storage.NewBucket(nil),
			} {
				wrapped, err := storage.Wrap(narrowed, never)
				require.Equal(t, "Wrap", t.requireNothingDone(err, storage.InvalidArgument).Op, name)
				require.Nil(t, wrapped, name)
			}
			wrapped, err := storage.Wrap(b, func(storage.Core) storage.Core { return nil })
			t.requireNothingDone(err, storage.InvalidArgument)
			require.Nil(t, wrapped)
		},
	},
	{
		Name: "a bucket without a Core fails",
		Rule: "O3",
		Explanation: "every method and function of NewBucket(nil), and of a view of it, is " +
			"InvalidArgument; Close does nothing",
		run: func(t *T) {
			for name, b := range map[string]storage.Bucket{
				"whole":    storage.NewBucket(nil),
				"Prefixed": storage.Prefixed(storage.NewBucket(nil), "p/"),
				"Ref":      storage.Ref[storage.Bucket](storage.NewBucket(nil)),
			} {
				for op, err := range everyOperation(t, b, "key") {
					t.requireCode(err, storage.InvalidArgument)
					require.ErrorContains(t, err, "Core must not be nil", "%s of %s", op, name)
				}
				for op, err := range needingBucket(t, b) {
					if op != "Close" {
						require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%s of %s: %v", op, name, err)
					}
				}
				_, err := storage.Copy(t.Context(), t.open(), "key", b, "key")
				t.requireNothingDone(err, storage.InvalidArgument)
				require.NoError(t, storage.Close(b))
				require.False(t, storage.Supports(b, storage.Metadata))
				_, ok := storage.As[any](b)
				require.False(t, ok)
			}
		},
	},
	{
		Name: "several Cores of one bucket",
		Rule: "O3",
		Explanation: "the outer one is called first, the buckets work beside each other, and Close of " +
			"each closes the store",
		run: func(t *T) {
			for name, closed := range map[string]int{"inner": 0, "outer": 1, "the second": 2, "the bucket itself": 3} {
				parent := t.open()
				inner, first := t.counting(parent)
				outer, second := t.counting(inner)
				other, third := t.counting(parent)
				buckets := []storage.Bucket{inner, outer, other, parent}
				for _, b := range buckets {
					t.put(b, "a", "x")
				}
				require.Equal(t, []int{2, 1, 1}, []int{len(first.Uploads), len(second.Uploads), len(third.Uploads)})
				require.NoError(t, storage.Close(buckets[closed]), name)
				for _, b := range buckets {
					_, err := b.Upload(t.Context(), "b", strings.NewReader("x"))
					t.requireNothingDone(err, storage.InvalidArgument)
					require.NoError(t, storage.Close(b), name)
				}
			}
		},
	},
	{
		Name:        "a Core that copies gets one object, and no more of the source's bucket",
		Rule:        "O3",
		Explanation: "a narrowed source stays narrow: a CopySource leads to no Core, also by reflection",
		run: func(t *T) {
			parent := t.open()
			t.put(parent, "p/a", "text")
			narrow := storage.Ref[storage.Downloader](storage.Prefixed(parent, "p/"))
			for name, source := range map[string]storage.Downloader{
				"a Core of package engine": narrow,
				"a user's Core":            storage.Ref[storage.Downloader](storage.Prefixed(t.wrapped(parent), "p/")),
			} {
				taking := &cores.Taking{}
				_, err := storage.Copy(t.Context(), t.wrap(t.open(), func(c storage.Core) storage.Core {
					taking.Core = c
					return taking
				}), "x", source, "a")
				require.NoError(t, err, name)
				require.Equal(t, "text", taking.Text, name)
				from := reflect.TypeOf(taking.From)
				for i := range from.NumMethod() {
					require.Contains(t, []string{"Download", "Key"}, from.Method(i).Name, name)
				}
			}
		},
	},
	{
		Name:        "a view shows no key that a Core lists elsewhere",
		Rule:        "O3",
		Explanation: "without the prefix of the view, it would be the key of another object",
		run: func(t *T) {
			parent := t.open()
			t.puts(parent, "p/a", "z")
			view := storage.Prefixed(t.wrap(parent,
				func(c storage.Core) storage.Core { return cores.Straying{Core: c} }), "p/")
			var failure error
			for entry, err := range view.List(t.Context(), t.anyOrder()...) {
				failure = err
				if err == nil {
					require.Equal(t, "a", entry.Key)
				}
			}
			t.requireCode(failure, storage.Internal)
			_, err := storage.ListPage(t.Context(), view, "", t.anyOrder()...)
			t.requireCode(err, storage.Internal)
		},
	},
	{
		Name:        "a Core that returns nothing fails",
		Rule:        "O3",
		Explanation: "neither a result nor an error is Internal, and no panic",
		run: func(t *T) {
			b := t.wrap(t.open(), func(c storage.Core) storage.Core { return cores.Empty{Core: c} })
			for name, b := range map[string]storage.Bucket{"whole": b, "view": storage.Prefixed(b, "p/")} {
				_, uploaded := b.Upload(t.Context(), "a", strings.NewReader("x"))
				_, openErr := b.Download(t.Context(), "a")
				_, described := b.Attrs(t.Context(), "a")
				_, paged := storage.ListPage(t.Context(), b, "", t.anyOrder()...)
				var listed error
				for _, listed = range b.List(t.Context(), t.anyOrder()...) {
				}
				for op, err := range map[string]error{
					"Upload":   uploaded,
					"Download": openErr,
					"Attrs":    described,
					"ListPage": paged,
					"List":     listed,
				} {
					require.Equal(t, storage.Internal, storage.CodeOf(err), "%s of %s: %v", op, name, err)
				}
			}
		},
	},
	{
		Name:        "joined errors of a Core have the caller's keys",
		Rule:        "O3",
		Explanation: "in what RemoveAll joins, within another error, and in a join of joins; what a Core has wrapped is found",
		run: func(t *T) {
			cause := errors.New("the auditor refused it")
			failure := func(key string) error {
				return &storage.Error{Code: storage.PermissionDenied, Op: "Remove", Key: key}
			}
			for name, joined := range map[string]error{
				"a join":            errors.Join(failure("p/a"), failure("p/b"), cause),
				"within an error":   fmt.Errorf("audit: %w", errors.Join(failure("p/a"), failure("p/b"), cause)),
				"a join of a join":  errors.Join(errors.Join(failure("p/a"), failure("p/b")), cause),
				"two in one format": fmt.Errorf("%w, %w: %w", failure("p/a"), failure("p/b"), cause),
			} {
				view := storage.Prefixed(t.wrap(t.open(), func(c storage.Core) storage.Core {
					return cores.Failing{Core: c, Err: joined}
				}), "p/")
				_, removeErr := storage.RemoveAll(t.Context(), view, slices.Values([]string{"a", "b"}))
				for op, err := range map[string]error{"RemoveAll": removeErr, "Remove": view.Remove(t.Context(), "a")} {
					require.Equal(t, []string{"a", "b"}, errorKeys(err), "%s of %s", op, name)
					require.ErrorIs(t, err, cause, "%s of %s", op, name)
					require.NotContains(t, err.Error(), "p/", "%s of %s", op, name)
				}
			}
		},
	},
	{
		Name:        "an error of a Core in a reader has the caller's key",
		Rule:        "O3",
		Explanation: "a Core may return a Reader of its own: the view removes its prefix from attributes and errors",
		run: func(t *T) {
			parent := t.open()
			t.put(parent, "p/a", "text")
			view := storage.Prefixed(t.wrap(parent,
				func(c storage.Core) storage.Core { return cores.Shortening{Core: c} }), "p/")
			r, err := view.Download(t.Context(), "a")
			require.NoError(t, err)
			defer func() { require.NoError(t, r.Close()) }()
			require.Equal(t, "a", r.Attrs().Key)
			_, err = io.ReadAll(r)
			require.Equal(t, "a", t.requireCode(err, storage.Unavailable).Key)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		},
	},
}

// errorKeys returns the key of each [storage.Error] in the tree of err.
func errorKeys(err error) (keys []string) {
	switch e := err.(type) {
	case *storage.Error:
		return []string{e.Key}
	case interface{ Unwrap() error }:
		return errorKeys(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			keys = append(keys, errorKeys(inner)...)
		}
		return keys
	}
	return nil
}
