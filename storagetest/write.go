package storagetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/storagetest/faults"
)

// An uploadPath is one way in which the library can upload a body, such as in parts.
type uploadPath struct {
	name string
	open func(opts ...storage.OpenOption) storage.Bucket
	size int64 // length of a body that takes this path, in bytes
}

// uploadPaths returns the ways in which the library uploads a body: as a single Put, and in parts
// if the driver has multipart uploads.
func (t *T) uploadPaths() []uploadPath {
	paths := []uploadPath{{
		name: "one Put",
		open: t.open,
		size: 100,
	}}
	if t.has(storage.MultipartUploads) {
		paths = append(paths, uploadPath{
			name: "parts",
			open: t.openForParts,
			size: 2*t.unit + 1,
		})
	}
	return paths
}

var writeCases = []Case{
	{
		Name:        "an upload stores bytes and attributes",
		Rule:        "W1",
		Explanation: "the object holds what was sent, whether the length is known or not, in one Put and in parts",
		run: func(t *T) {
			for _, path := range t.uploadPaths() {
				b := path.open()
				want := body(path.size, 1)
				for name, source := range map[string]io.Reader{"known": strings.NewReader(want), "stream": stream(want)} {
					_, err := b.Upload(
						t.Context(), name, source, t.contentType("text/x-test"),
						t.metadata(map[string]string{"k": "v"}),
					)
					require.NoError(t, err, path.name)
					t.requireContent(b, name, want)
					attrs := t.attrs(b, name)
					require.Equal(t, path.size, attrs.Size, path.name)
					require.Equal(t, t.keptType("text/x-test"), attrs.ContentType, path.name)
					require.Equal(t, t.keptMetadata(map[string]string{"k": "v"}), attrs.Metadata, path.name)
				}
			}
		},
	},
	{
		Name:        "an empty object",
		Rule:        "W1",
		Explanation: "an object without bytes is an object, from a reader of known length and from a stream",
		run: func(t *T) {
			b := t.open()
			for name, source := range map[string]io.Reader{"known": strings.NewReader(""), "stream": stream("")} {
				attrs, err := b.Upload(t.Context(), name, source)
				require.NoError(t, err)
				require.Zero(t, attrs.Size)
				t.requireContent(b, name, "")
				t.requireExists(b, name)
			}
		},
	},
	{
		Name:        "an overwrite replaces everything",
		Rule:        "W1",
		Explanation: "the new object has neither bytes nor attributes of the old one",
		run: func(t *T) {
			b := t.open()
			t.put(
				b, "a", body(5000, 1), t.contentType("text/one"),
				t.optional(storage.ContentProperties, storage.WithCacheControl("no-store")),
				t.optional(storage.ContentProperties, storage.WithContentLanguage("de")),
				t.metadata(map[string]string{"one": "1"}),
			)
			t.put(b, "a", "short", t.contentType("text/two"))
			t.requireContent(b, "a", "short")
			attrs := t.attrs(b, "a")
			require.Equal(t, int64(5), attrs.Size)
			require.Equal(t, t.keptType("text/two"), attrs.ContentType)
			require.Empty(t, attrs.CacheControl)
			require.Empty(t, attrs.ContentLanguage)
			require.Empty(t, attrs.Metadata)
		},
	},
	{
		Name:        "a failed overwrite leaves the old object",
		Rule:        "W1",
		Explanation: "after an error of the body, size, checksum, condition or ctx, the key holds the old object with its bytes and attributes",
		run: func(t *T) {
			for _, path := range t.uploadPaths() {
				b := path.open()
				t.put(b, "a", "old", t.metadata(map[string]string{"is": "old"}))
				before := t.snapshot(b)
				for name, failure := range failedUploads(t, path.size) {
					if failure.needs&^t.desc.Features != 0 {
						continue
					}
					ctx := t.Context()
					if failure.ctx != nil {
						ctx = failure.ctx
					}
					_, err := b.Upload(ctx, "a", failure.body, failure.opts...)
					require.Equal(t, failure.code, storage.CodeOf(err), "%s in %s: %v", name, path.name, err)
					t.requireNothingDone(err, failure.code)
					require.Equal(t, before, t.snapshot(b), "%s in %s", name, path.name)
				}
				require.Zero(t, t.countPendingUploads(), "a failed multipart upload must be aborted:\n%v", t.faults)
			}
		},
	},
	{
		Name:        "a failed upload leaves nothing where there was nothing",
		Rule:        "W1",
		Explanation: "no object appears, complete or partial, in a read or a listing",
		run: func(t *T) {
			for _, path := range t.uploadPaths() {
				b := path.open()
				for name, failure := range failedUploads(t, path.size) {
					if failure.code == storage.PreconditionFailed {
						continue // without an existing object, the condition does not fail
					}
					ctx := t.Context()
					if failure.ctx != nil {
						ctx = failure.ctx
					}
					_, err := b.Upload(ctx, "dir/a", failure.body, failure.opts...)
					require.Equal(t, failure.code, storage.CodeOf(err), "%s in %s: %v", name, path.name, err)
					require.Empty(t, t.keys(b), "%s in %s", name, path.name)
				}
			}
		},
	},
	{
		Name:        "a cancelled upload stores nothing",
		Rule:        "W1",
		Explanation: "if ctx ends in the middle of the body, the upload is Canceled, nothing is visible, and a multipart upload is aborted",
		run: func(t *T) {
			for _, path := range t.uploadPaths() {
				b := path.open()
				ctx, cancel := context.WithCancel(t.Context())
				_, err := b.Upload(ctx, "a", cancelAfter(body(path.size, 1), path.size/2, cancel))
				cancel()
				require.Equal(t, storage.Canceled, storage.CodeOf(err), "%s: %v", path.name, err)
				require.ErrorIs(t, err, context.Canceled)
				require.NotErrorIs(t, err, storage.OutcomeUnknown)
				require.Empty(t, t.keys(b), path.name)
			}
			require.Zero(t, t.countPendingUploads(), "%v", t.faults)
		},
	},
	{
		Name:        "readers see whole objects while a writer overwrites",
		Rule:        "W1",
		Explanation: "the bytes and the attributes of one Download always belong together",
		run:         readersAndWriter,
	},
	{
		Name:        "a Writer stores only at Commit",
		Rule:        "W1",
		Explanation: "Close without Commit discards the object; Commit returns what Upload returns, and so does a second Commit",
		run:         writerCommits,
	},
	{
		Name:        "Close without Commit fails after a write",
		Rule:        "W1",
		Explanation: "code that takes Close for the commit gets an error, and not a missing object; a writer that was not written to closes with nil",
		run: func(t *T) {
			b := t.open()
			w := storage.NewWriter(t.Context(), b, "a")
			require.NoError(t, w.Close(), "nothing was written")
			w = storage.NewWriter(t.Context(), b, "a")
			_, err := io.WriteString(w, "text")
			require.NoError(t, err)
			err = w.Close()
			e, _ := errors.AsType[*storage.Error](err)
			require.NotNil(t, e)
			require.Equal(t, []string{"Close", t.desc.Provider, "a"}, []string{e.Op, e.Provider, e.Key})
			require.NotEmpty(t, e.Bucket)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, "nothing was stored")
			require.Equal(t, err, w.Close(), "a second call returns the same")
			_, err = w.Commit()
			require.ErrorIs(t, err, storage.InvalidArgument)
			t.requireMissing(b, "a")
		},
	},
	{
		Name:        "a Writer reports its failure",
		Rule:        "W1",
		Explanation: "Commit returns the error of the upload, and Write does not block",
		run: func(t *T) {
			b := t.open()
			w := storage.NewWriter(t.Context(), b, "a", storage.WithSize(3))
			_, _ = io.WriteString(w, "longer")
			_, err := w.Commit()
			t.requireNothingDone(err, storage.BodyFailed)
			require.NoError(t, w.Close())
			t.requireMissing(b, "a")
			w = storage.NewWriter(t.Context(), b, "../a")
			_, _ = io.WriteString(w, "x")
			_, err = w.Commit()
			t.requireNothingDone(err, storage.InvalidArgument)
			require.NoError(t, w.Close())
		},
	},
	{
		Name:        "a Writer whose source failed cannot be committed",
		Rule:        "W11",
		Explanation: "ReadFrom returns the source's error; Commit is BodyFailed, whatever is written later, and the old object stays",
		run: func(t *T) {
			for _, path := range t.uploadPaths() {
				b := path.open()
				t.put(b, "a", "old")
				w := storage.NewWriter(t.Context(), b, "a")
				_, err := io.WriteString(w, "head ")
				require.NoError(t, err)
				n, err := w.ReadFrom(failing(body(path.size, 1), errBoom))
				require.Equal(t, errBoom, err, path.name)
				require.Equal(t, path.size, n)
				_, err = io.WriteString(w, " tail")
				require.Error(t, err, path.name)
				attrs, err := w.Commit()
				require.Nil(t, attrs, path.name)
				t.requireNothingDone(err, storage.BodyFailed)
				require.ErrorIs(t, err, errBoom)
				_, second := w.Commit()
				require.Equal(t, err, second)
				require.NoError(t, w.Close())
				t.requireContent(b, "a", "old")
			}
		},
	},
	{
		Name:        "a Writer takes empty writes",
		Rule:        "W1",
		Explanation: "a template with many empty values makes many empty writes, which are not a body without progress",
		run: func(t *T) {
			b := t.open()
			w := storage.NewWriter(t.Context(), b, "a")
			for _, text := range []string{"", "con", "", "tent", ""} {
				_, err := io.WriteString(w, text)
				require.NoError(t, err)
				for range 200 {
					n, err := w.Write(nil)
					require.NoError(t, err)
					require.Zero(t, n)
				}
			}
			_, err := w.Commit()
			require.NoError(t, err)
			_, err = w.Write(nil)
			require.ErrorIs(t, err, storage.InvalidArgument, "the Writer is closed")
			require.NoError(t, w.Close())
			t.requireContent(b, "a", "content")
		},
	},
	{
		Name:        "an upload whose source reads the same bucket",
		Rule:        "W1",
		Explanation: "no lock is held while the caller's reader is read",
		run: func(t *T) {
			b := t.open()
			t.put(b, "source", "text")
			reader, err := b.Download(t.Context(), "source")
			require.NoError(t, err)
			_, err = b.Upload(t.Context(), "target", onlyReader{reader})
			require.NoError(t, err)
			require.NoError(t, reader.Close())
			t.requireContent(b, "target", "text")

			busy := readFunc(func() {
				t.put(b, "meanwhile", "x")
				t.keys(b)
			})
			_, err = b.Upload(t.Context(), "slow", io.MultiReader(strings.NewReader("head"), busy))
			require.NoError(t, err)
			t.requireContent(b, "slow", "head")
			t.requireContent(b, "meanwhile", "x")
		},
	},
	{
		Name:        "attributes of a write need no second request",
		Rule:        "W4",
		Explanation: "Upload returns attributes from the write's response and from the request, and they equal those that Attrs returns later",
		run:         writeReturnsAttrs,
	},
	{
		Name:        "a body that is too long fails early",
		Rule:        "W3",
		Explanation: "a body over the provider's limits is TooLarge and never truncated; if the size is known, no request is made",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			b := t.openLimited(faults.Limits{
				Disable:     driver.StreamingPut,
				MaxPutSize:  t.unit,
				MinPartSize: t.unit,
				MaxPartSize: t.unit,
				MaxParts:    2,
			})
			_, err := b.Upload(t.Context(), "fits", stream(body(2*t.unit, 1)))
			require.NoError(t, err)
			_, err = b.Upload(t.Context(), "a", stream(body(2*t.unit+1, 1)))
			t.requireNothingDone(err, storage.TooLarge)
			t.requireMissing(b, "a")
			require.Zero(t, t.countPendingUploads(), "%v", t.faults)
			t.requireNoRequests(func() {
				_, err = b.Upload(t.Context(), "a", strings.NewReader(body(2*t.unit+1, 1)))
				t.requireNothingDone(err, storage.TooLarge)
			})
		},
	},
	{
		Name:        "a body that is too long for a store without parts",
		Rule:        "W3",
		Explanation: "the upload is TooLarge, and nothing is stored",
		run: func(t *T) {
			b := t.openLimited(faults.Limits{Disable: storage.MultipartUploads | driver.StreamingPut, MaxPutSize: 1000})
			t.put(b, "fits", body(1000, 1))
			for _, source := range []io.Reader{strings.NewReader(body(1001, 1)), stream(body(1001, 1))} {
				_, err := b.Upload(t.Context(), "a", source)
				t.requireNothingDone(err, storage.TooLarge)
			}
			require.Equal(t, []string{"fits"}, t.keys(b))
		},
	},
}

// cancelAfter returns a stream of text that calls cancel after n bytes, and then continues.
func cancelAfter(text string, n int64, cancel func()) io.Reader {
	return io.MultiReader(strings.NewReader(text[:n]), readFunc(cancel), strings.NewReader(text[n:]))
}

// A readFunc is an empty body that calls the function when it is read.
type readFunc func()

func (f readFunc) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}

// readersAndWriter reads an object again and again while it is replaced, and requires that each
// read returns the bytes and the attributes of one upload.
func readersAndWriter(t *T) {
	const writes, readers = 20, 2
	b := t.open()
	putNumbered(t, b, 0)

	done := make(chan struct{})
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			// Read until the writes are done, or until a read fails.
			for readNumbered(t, b) {
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}

	for i := range writes {
		putNumbered(t, b, i)
	}
	close(done)
	wg.Wait()
}

// smallestNumbered is the length of the first of the objects that putNumbered stores, in bytes.
const smallestNumbered = 1000

// putNumbered stores the object "a". Its length tells its number, and its metadata has its checksum.
func putNumbered(t *T, b storage.Bucket, number int) {
	text := body(int64(smallestNumbered+number), byte(number))
	t.put(b, "a", text, t.metadata(map[string]string{"sum": fmt.Sprintf("%08x", sum([]byte(text)))}))
}

// readNumbered reads the object "a", which putNumbered stores. If its content, size and metadata are not from
// the same write, readNumbered fails the case and returns false.
func readNumbered(t *T, b storage.Bucket) bool {
	data, attrs, err := storage.ReadAll(t.Context(), b, "a")
	if errors.Is(err, storage.Changed) {
		// The object was replaced during the read, so there is nothing to compare.
		return true
	}
	if err != nil {
		t.Errorf("reading: %v", err)
		return false
	}

	wantSum := fmt.Sprintf("%08x", sum(data))
	if t.has(storage.Metadata) && attrs.Metadata["sum"] != wantSum {
		t.Errorf("%d bytes with the metadata of another object: %+v", len(data), attrs)
		return false
	}

	// The size tells the number of the write, and thereby its content.
	number := attrs.Size - smallestNumbered
	if string(data) != body(attrs.Size, byte(number)) {
		t.Errorf("%d bytes with the size of another object: %+v", len(data), attrs)
		return false
	}
	return true
}

// writerCommits checks that a Writer stores what was written, but only if Commit is called.
func writerCommits(t *T) {
	for _, path := range t.uploadPaths() {
		b := path.open()
		text := body(path.size, 1)

		// The object exists only after Commit.
		w := storage.NewWriter(t.Context(), b, "a", t.contentType("text/x-test"))
		for chunk := range slices.Chunk([]byte(text), 700) {
			n, err := w.Write(chunk)
			require.NoError(t, err)
			require.Equal(t, len(chunk), n)
		}
		t.requireMissing(b, "a")

		attrs, err := w.Commit()
		require.NoError(t, err)
		require.Equal(t, path.size, attrs.Size)
		t.requireContent(b, "a", text)
		require.Equal(t, t.keptType("text/x-test"), t.attrs(b, "a").ContentType)

		// A second Commit returns the same attributes, and Close may be called twice.
		again, err := w.Commit()
		require.NoError(t, err)
		require.Equal(t, attrs, again)
		require.NoError(t, w.Close())
		require.NoError(t, w.Close())
		t.requireContent(b, "a", text)

		// Without Commit, Close fails and nothing is stored.
		w = storage.NewWriter(t.Context(), b, "b")
		n, err := w.ReadFrom(strings.NewReader(text))
		require.NoError(t, err)
		require.Equal(t, path.size, n)
		require.ErrorIs(t, w.Close(), storage.InvalidArgument)
		t.requireMissing(b, "b")

		// A writer that wrote nothing makes an empty object.
		w = storage.NewWriter(t.Context(), b, "empty")
		_, err = w.Commit()
		require.NoError(t, err)
		require.NoError(t, w.Close())
		t.requireContent(b, "empty", "")
	}
}

// writeReturnsAttrs checks that an upload returns the object's attributes without a second request,
// and that a later read returns the same ones.
func writeReturnsAttrs(t *T) {
	for _, path := range t.uploadPaths() {
		b := path.open()
		text := body(path.size, 1)
		opts := []storage.UploadOption{
			t.optional(storage.ContentProperties, storage.WithCacheControl("max-age=60")),
			t.optional(storage.ContentProperties, storage.WithContentDisposition(`attachment; filename="x"`)),
			t.optional(storage.ContentProperties, storage.WithContentLanguage("de")),
			t.optional(storage.ContentProperties, storage.WithContentEncoding("x-test")),
			t.metadata(map[string]string{"k": "v"}),
		}

		reads := t.faults.Count(faults.Reads)
		returned, err := b.Upload(t.Context(), "a.png", strings.NewReader(text), opts...)
		require.NoError(t, err)
		require.Equal(t, reads, t.faults.Count(faults.Reads), "%s: this must make no second request:\n%v", path.name,
			t.faults)

		// The write returns what it knows by itself.
		require.Equal(t, "a.png", returned.Key)
		require.Equal(t, path.size, returned.Size)
		require.Equal(t, "image/png", returned.ContentType)
		require.NotEmpty(t, returned.ETag, "a write must return an ETag")
		require.NotEmpty(t, returned.Revision, "a write must return a Revision")

		// A later read must return the same attributes.
		attrs := t.attrs(b, "a.png")
		require.Equal(t, attrs.Properties, returned.Properties, path.name)
		require.Equal(t, attrs.ETag, returned.ETag, path.name)
		require.Equal(t, attrs.Revision, returned.Revision, path.name)
		require.Equal(t, attrs.Version, returned.Version, path.name)
		require.False(t, attrs.Modified.IsZero(), "Head must return Modified")
		require.True(t, attrs.Modified.Location() == time.UTC, "Modified must be in UTC")
		if !returned.Modified.IsZero() {
			require.WithinDuration(t, attrs.Modified, returned.Modified, time.Second)
		}
	}
}
