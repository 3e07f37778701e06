package transfer_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// If one end of a job is the folder z/ of the other end, the job refuses before it replaces or
// removes a file. The addresses of the ends do not show that one is in the other. A job accepts a
// destination in a folder that it excludes.
func TestJobRefusesANestedEnd(t *testing.T) {
	const manyFiles = 1500
	var before, inFolder []string // keys that come before those of the folder, and keys in it
	for i := range manyFiles {
		before = append(before, fmt.Sprintf("a%04d", i))
		inFolder = append(inFolder, fmt.Sprintf("z/a%04d", i))
	}
	tests := []struct {
		name         string
		keys         []string // of the bucket
		isSrcInner   bool     // the source is the folder z/, in place of the destination
		opts         []transfer.Option
		wantAccepted bool
	}{
		{
			name: "destination in the source, after many files",
			keys: slices.Concat(before, []string{"b", "z/b"}),
		},
		{
			name: "destination in the source, with many files",
			keys: slices.Concat(inFolder, before, []string{"x", "z/x"}),
		},
		{
			name:       "source in the destination, after many files",
			keys:       slices.Concat(before, []string{"b", "z/b", "z/z/b"}),
			isSrcInner: true,
		},
		{
			name:       "source whose selected names are others than those of its folder",
			keys:       []string{"a", "z/q", "z/z/a", "z/b"},
			isSrcInner: true,
			opts:       []transfer.Option{transfer.WithInclude("/z/q", "/b")},
		},
		{
			name:       "source with many files, of which none is selected",
			keys:       slices.Concat(inFolder, []string{"b", "z/q", "z/b"}),
			isSrcInner: true,
			opts:       []transfer.Option{transfer.WithInclude("/z/q", "/b")},
		},
		{
			name:       "source whose only matching names are excluded",
			keys:       []string{"a", "z/a", "z/q", "z/b"},
			isSrcInner: true,
			opts:       []transfer.Option{transfer.WithExclude("/a", "/q", "/b", "/z/a")},
		},
		{
			name:       "source in a folder above the prefix",
			keys:       slices.Concat(inFolder, []string{"z/q1", "z/q2", "z/z/q3"}),
			isSrcInner: true,
			opts:       []transfer.Option{transfer.WithPrefix("z/q")},
		},
		{
			name:         "destination in an excluded folder of the source",
			keys:         []string{"a", "b", "z/b"},
			opts:         []transfer.Option{transfer.WithExclude("/z/")},
			wantAccepted: true,
		},
	}
	jobs := map[string][]transfer.Option{
		"delete": {transfer.WithDelete(), transfer.WithEmptySource()},
		"move":   {transfer.WithMove()},
	}
	for _, tt := range tests {
		for job, jobOpts := range jobs {
			t.Run(tt.name+"/"+job, func(t *testing.T) {
				b := memstore.New()
				for _, key := range tt.keys {
					put(t, b, key, "content of "+key)
				}

				// The function Unknown hides that both ends are in one bucket.
				outer := wrapped.Unknown(t, b)
				inner := storage.Prefixed(wrapped.Unknown(t, b), "z/")
				dst, src := inner, outer
				if tt.isSrcInner {
					dst, src = outer, inner
				}
				srcFiles := contents(t, src)

				opts := slices.Concat(jobOpts, tt.opts)
				_, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src), opts...)
				if tt.wantAccepted {
					require.NoError(t, err)
					return
				}
				require.ErrorIs(t, err, storage.InvalidArgument)
				requireKept(t, srcFiles, b)
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

// A job refuses a backup that contains the source or the destination, or is in one of them. It
// refuses before a file is lost.
func TestWithBackupNestedInAnEnd(t *testing.T) {
	const moreFiles = 1500
	tests := []struct {
		name             string
		dst, src, backup string // the name of a store, or the path of a folder in it
	}{
		{name: "in the source", dst: "dst", src: "src", backup: "src/in/"},
		{name: "around the source", dst: "dst", src: "src/in/", backup: "src"},
		{name: "in the destination", dst: "dst", src: "src", backup: "dst/in/"},
		{name: "around the destination", dst: "dst/in/", src: "src", backup: "dst"},
		{name: "deep in the source", dst: "dst", src: "src", backup: "src/in/in/in/"},
		{name: "around a source deep in it", dst: "dst", src: "src/in/in/", backup: "src"},
	}

	// Each kind of job runs with each placement, in small stores and in those with many files.
	for _, tt := range tests {
		for size, files := range map[string]int{"small": 0, "large": moreFiles} {
			for job, opts := range map[string][]transfer.Option{
				"copy":   {transfer.WithChecksum()},
				"delete": {transfer.WithDelete()},
				"move":   {transfer.WithMove()},
			} {
				t.Run(tt.name+"/"+size+"/"+job, func(t *testing.T) {
					stores := map[string]storage.Bucket{
						"dst": newNestedFolders(t, "dst", files),
						"src": newNestedFolders(t, "src", files),
					}

					// endOf opens an end in such a way that the job cannot see in which store it is.
					endOf := func(path string) transfer.End {
						store, prefix, _ := strings.Cut(path, "/")
						b := wrapped.Unknown(t, stores[store])
						if prefix != "" {
							b = storage.Prefixed(b, prefix)
						}
						return transfer.Bucket(b)
					}
					srcBefore := contents(t, stores["src"])

					_, err := transfer.Sync(t.Context(), endOf(tt.dst), endOf(tt.src),
						append(opts, transfer.WithBackup(endOf(tt.backup)))...)
					require.ErrorIs(t, err, storage.InvalidArgument)
					require.ErrorContains(t, err, "WithBackup")
					requireKept(t, srcBefore, stores["src"], stores["dst"])
				})
			}
		}
	}
}

// newNestedFolders returns a bucket with nested folders, and with moreFiles files beside them. The
// contents of the objects in the folders name the store.
func newNestedFolders(t *testing.T, store string, moreFiles int) storage.Bucket {
	t.Helper()
	b := memstore.New()
	for _, key := range []string{"a", "in/a", "in/in/a", "in/in/in/a", "in/x" + store} {
		put(t, b, key, "content of "+store+" "+key)
	}
	for i := range moreFiles {
		put(t, b, fmt.Sprintf("b%04d", i), "text")
	}
	return b
}

// If a job replaces files, and its source is large, it lists the source once more than otherwise.
// So it finds out whether one end is in the other.
func TestJobLooksForNestedEndsRarely(t *testing.T) {
	tests := []struct {
		name      string
		replaces  bool
		wantLists int // of the source
	}{
		// The job lists the first files of the source, and then all files. Before it replaces a
		// file, it lists all of them once more.
		{name: "nothing is replaced", replaces: false, wantLists: 2},
		{name: "a file is replaced", replaces: true, wantLists: 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const manyFiles = 1500
			src := memstore.New()
			for i := range manyFiles {
				put(t, src, fmt.Sprintf("a%04d", i), "text")
			}
			dst := memstore.New()
			put(t, dst, "old", "text")
			if tt.replaces {
				put(t, dst, "a0001", "older text")
			}

			// The function Unknown hides where the destination is stored.
			unknownDst := wrapped.Unknown(t, dst)
			counter := &listCounter{}
			countedSrc := wrapped.Bucket(t, src, func(c storage.Core) storage.Core {
				counter.Core = c
				return counter
			})

			_, err := transfer.Sync(t.Context(), transfer.Bucket(unknownDst), transfer.Bucket(countedSrc),
				transfer.WithDelete(), transfer.WithChecksum())
			require.NoError(t, err)
			require.Equal(t, tt.wantLists, counter.lists)
			require.Equal(t, contents(t, src), contents(t, dst))
		})
	}
}

// A listCounter counts the calls of List.
type listCounter struct {
	storage.Core
	lists int
}

func (c *listCounter) List(ctx context.Context, o *storage.ListOptions) iter.Seq2[storage.ListEntry, error] {
	c.lists++
	return c.Core.List(ctx, o)
}

// A readOnly Core refuses all uploads.
type readOnly struct{ storage.Core }

func (readOnly) Upload(context.Context, string, io.Reader, *storage.UploadOptions) (*storage.Attrs, error) {
	return nil, &storage.Error{Code: storage.PermissionDenied}
}

// The destination has many folders, all with the same names in them. A job refuses a source that is one of these
// folders.
func TestJobRefusesANestedEndAmongMany(t *testing.T) {
	const folders = 300
	tests := []struct {
		name     string
		readOnly bool // whether the job cannot write to the source
		want     storage.Code
	}{
		{name: "a writable source", want: storage.InvalidArgument},
		{name: "a source that refuses writes", readOnly: true, want: storage.Unsupported},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			parent := memstore.New()
			for i := range folders {
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
			require.Equal(t, before, contents(t, parent), "the job leaves nothing that it wrote to compare both ends")
		})
	}
}

// If one end of a job is a folder of the other, Sync refuses the job. It accepts a destination with folders that only
// look like the source.
func TestJobAcceptsFoldersThatLookAlike(t *testing.T) {
	const folders = 300
	dst := memstore.New()
	for i := range folders {
		put(t, dst, fmt.Sprintf("f%03d/index.html", i), fmt.Sprintf("page %03d", i))
	}
	src := memstore.New()
	put(t, src, "index.html", "page new")

	// The ends are opened with wrapped.Unknown. Only their objects show that they are different
	// places.
	_, err := transfer.Sync(t.Context(), transfer.Bucket(wrapped.Unknown(t, dst)),
		transfer.Bucket(wrapped.Unknown(t, src)), transfer.WithDelete())
	require.NoError(t, err)

	require.Equal(t, map[string]string{"index.html": "page new"}, contents(t, dst))
	require.Equal(t, map[string]string{"index.html": "page new"}, contents(t, src))
}
