package transfer_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// If the source lies in a folder of the destination (or the reverse) and the addresses do not show that, the job
// refuses. It refuses before it replaces or removes a file.
func TestJobRefusesANestedEnd(t *testing.T) {
	many := func(format string) (keys []string) {
		for i := range 1500 {
			keys = append(keys, fmt.Sprintf(format, i))
		}
		return keys
	}
	tests := map[string]struct {
		keys  []string // of the whole
		inner string   // which end is the folder z/
		opts  []transfer.Option
		found bool
	}{
		"a destination in the source, after many files": {
			keys:  append(many("a%04d"), "b", "z/b"),
			inner: "destination",
			found: true,
		},
		"a destination in the source, with many files": {
			keys:  append(many("z/a%04d"), append(many("a%04d"), "x", "z/x")...),
			inner: "destination",
			found: true,
		},
		"a source in the destination, after many files": {
			keys:  append(many("a%04d"), "b", "z/b", "z/z/b"),
			inner: "source",
			found: true,
		},
		"a source whose selected names are others than those of its folder": {
			keys:  []string{"a", "z/q", "z/z/a", "z/b"},
			inner: "source",
			opts:  []transfer.Option{transfer.WithInclude("/z/q", "/b")},
			found: true,
		},
		"a source with many files of which none is selected": {
			keys:  append(many("z/a%04d"), "b", "z/q", "z/b"),
			inner: "source",
			opts:  []transfer.Option{transfer.WithInclude("/z/q", "/b")},
			found: true,
		},
		"a source whose only matching names are excluded": {
			keys:  []string{"a", "z/a", "z/q", "z/b"},
			inner: "source",
			opts:  []transfer.Option{transfer.WithExclude("/a", "/q", "/b", "/z/a")},
			found: true,
		},
		"a source in a folder above the prefix": {
			keys:  append(many("z/a%04d"), "z/q1", "z/q2", "z/z/q3"),
			inner: "source",
			opts:  []transfer.Option{transfer.WithPrefix("z/q")},
			found: true,
		},
		"a destination in an excluded folder of the source": {
			keys:  []string{"a", "b", "z/b"},
			inner: "destination",
			opts:  []transfer.Option{transfer.WithExclude("/z/")},
		},
	}
	for name, tt := range tests {
		for job, opts := range map[string][]transfer.Option{
			"delete": {transfer.WithDelete(), transfer.WithEmptySource()},
			"move":   {transfer.WithMove()},
		} {
			t.Run(name+"/"+job, func(t *testing.T) {
				parent := memstore.New()
				for _, key := range tt.keys {
					put(t, parent, key, "content of "+key)
				}
				result := contents(t, parent)
				if tt.inner == "source" {
					result = contents(t, storage.Prefixed(parent, "z/"))
				}
				outer := wrapped.Unknown(t, parent)
				inner := storage.Prefixed(wrapped.Unknown(t, parent), "z/")
				dst, src := outer, inner
				if tt.inner == "destination" {
					dst = inner
					src = outer
				}
				_, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src),
					append(opts, tt.opts...)...)
				if !tt.found {
					require.NoError(t, err)
					return
				}

				require.ErrorIs(t, err, storage.InvalidArgument)
				requireKept(t, result, parent)
			})
		}
	}
}

// requireKept fails if a text is in none of the buckets.
func requireKept(t *testing.T, result map[string]string, buckets ...storage.Bucket) {
	exists := map[string]bool{}
	for _, b := range buckets {
		for _, text := range contents(t, b) {
			exists[text] = true
		}
	}
	for key, text := range result {
		if !exists[text] {
			require.Failf(t, "a text is lost", "of %s: %s", key, text)
		}
	}
}

// If the backup lies in the source or the destination, or contains one of them, the job refuses before it loses a
// file.
func TestWithBackupNestedInAnEnd(t *testing.T) {
	tests := map[string]struct{ dst, src, backup string }{
		"in the source":              {dst: "dst", src: "src", backup: "src in/"},
		"around the source":          {dst: "dst", src: "src in/", backup: "src"},
		"in the destination":         {dst: "dst", src: "src", backup: "dst in/"},
		"around the destination":     {dst: "dst in/", src: "src", backup: "dst"},
		"deep in the source":         {dst: "dst", src: "src", backup: "src in/in/in/"},
		"around a source deep in it": {dst: "dst", src: "src in/in/", backup: "src"},
	}
	for name, tt := range tests {
		for _, extra := range []int{0, 1500} {
			for job, opts := range map[string][]transfer.Option{
				"copy":   {transfer.WithChecksum()},
				"delete": {transfer.WithDelete()},
				"move":   {transfer.WithMove()},
			} {
				t.Run(fmt.Sprintf("%s, with %d files more/%s", name, extra, job), func(t *testing.T) {
					stores := map[string]storage.Bucket{"dst": memstore.New(), "src": memstore.New()}
					for store, b := range stores {
						for _, key := range []string{"a", "in/a", "in/in/a", "in/in/in/a", "in/x" + store} {
							put(t, b, key, "content of "+store+" "+key)
						}
						for i := range extra {
							put(t, b, fmt.Sprintf("b%04d", i), "text")
						}
					}
					end := func(path string) transfer.End {
						store, prefix, _ := strings.Cut(path, " ")
						if prefix == "" {
							return transfer.Bucket(wrapped.Unknown(t, stores[store]))
						}
						return transfer.Bucket(storage.Prefixed(wrapped.Unknown(t, stores[store]), prefix))
					}
					result := contents(t, stores["src"])

					_, err := transfer.Sync(t.Context(), end(tt.dst), end(tt.src),
						append(opts, transfer.WithBackup(end(tt.backup)))...)
					require.ErrorIs(t, err, storage.InvalidArgument)
					require.ErrorContains(t, err, "WithBackup")
					requireKept(t, result, stores["src"], stores["dst"])
				})
			}
		}
	}
}

// To find nested buckets, a job lists the source once more only if it replaces files and the source has many.
func TestJobLooksForNestedEndsRarely(t *testing.T) {
	tests := map[string]struct {
		replaced bool
		opts     []transfer.Option
		lists    int // of the source
	}{
		"nothing is replaced": {replaced: false, opts: nil, lists: 2},
		"a file is replaced":  {replaced: true, opts: nil, lists: 3},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			src := memstore.New()
			dst := memstore.New()
			for i := range 1500 {
				put(t, src, fmt.Sprintf("a%04d", i), "text")
			}

			put(t, dst, "old", "text")
			if tt.replaced {
				put(t, dst, "a0001", "older text")
			}
			counted := &listings{}
			srcBucket := wrapped.Bucket(t, src, func(c storage.Core) storage.Core {
				counted.Core = c
				return counted
			})

			_, err := transfer.Sync(t.Context(), transfer.Bucket(wrapped.Unknown(t, dst)),
				transfer.Bucket(srcBucket), transfer.WithDelete(), transfer.WithChecksum())
			require.NoError(t, err)
			require.Equal(t, tt.lists, counted.n)
			require.Equal(t, contents(t, src), contents(t, dst))
		})
	}
}

type listings struct {
	storage.Core
	n int
}

func (l *listings) List(ctx context.Context, o *storage.ListOptions) iter.Seq2[storage.ListEntry, error] {
	l.n++
	return l.Core.List(ctx, o)
}

// A readOnly Core takes no files.
type readOnly struct{ storage.Core }

func (readOnly) Upload(context.Context, string, io.Reader, *storage.UploadOptions) (*storage.Attrs, error) {
	return nil, &storage.Error{Code: storage.PermissionDenied}
}

// If a bucket has many folders with the same names in them, the job still finds that the source is one of these
// folders, and refuses.
func TestJobRefusesANestedEndAmongMany(t *testing.T) {
	tests := []struct {
		name     string
		readOnly bool // whether the job can store nothing in the source
		want     storage.Code
	}{
		{name: "one file at the source answers for all folders", want: storage.InvalidArgument},
		{name: "a source that is only read", readOnly: true, want: storage.Unsupported},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			parent := memstore.New()
			for i := range 300 {
				put(t, parent, fmt.Sprintf("f%03d/index.html", i), fmt.Sprintf("page %03d", i))
			}
			put(t, parent, "f250/precious", "text")
			before := contents(t, parent)

			// The addresses do not show that the source is a folder of the destination.
			dst := wrapped.Unknown(t, parent)
			srcParent := wrapped.Unknown(t, parent)
			if tt.readOnly {
				srcParent = wrapped.Bucket(t, srcParent, func(c storage.Core) storage.Core {
					return readOnly{c}
				})
			}
			src := storage.Prefixed(srcParent, "f250/")

			_, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src), transfer.WithDelete())
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.Equal(t, before, contents(t, parent), "nor is a question left")
		})
	}
}

// If folders of the destination look like a source that is elsewhere, Sync accepts it.
func TestJobAcceptsFoldersThatLookAlike(t *testing.T) {
	dst := memstore.New()
	src := memstore.New()
	for i := range 300 {
		put(t, dst, fmt.Sprintf("f%03d/index.html", i), fmt.Sprintf("page %03d", i))
	}

	put(t, src, "index.html", "page new")
	target := transfer.Bucket(wrapped.Unknown(t, dst))
	source := transfer.Bucket(wrapped.Unknown(t, src))
	_, err := transfer.Sync(t.Context(), target, source, transfer.WithDelete())
	require.NoError(t, err)

	require.Equal(t, map[string]string{"index.html": "page new"}, contents(t, dst))
	require.Equal(t, map[string]string{"index.html": "page new"}, contents(t, src))
}
