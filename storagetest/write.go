package storagetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A way is one of the roads that an upload can take.
type way struct {
	name string
	open func(opts ...storage.OpenOption) storage.Bucket
	size int64 // of a body that takes it
}

// ways are a single Put and, where the driver has them, parts.
func (t *T) ways() []way {
	ways := []way{{"one Put", t.open, 100}}
	if t.has(storage.UploadParts) {
		ways = append(ways, way{"parts", t.inParts, 2*t.unit + 1})
	}
	return ways
}

var writeCases = []Case{
	{
		Name: "an upload stores bytes and attributes", Rule: "W1",
		Explanation: "what was sent is what is read, of known length as of unknown, in one Put as in parts",
		run: func(t *T) {
			for _, w := range t.ways() {
				b := w.open()
				want := body(w.size, 1)
				for name, source := range map[string]io.Reader{"known": strings.NewReader(want), "stream": stream(want)} {
					_, err := b.Upload(t.Context(), name, source, t.contentType("text/x-test"), t.metadata(map[string]string{"k": "v"}))
					require.NoError(t, err, w.name)
					t.holds(b, name, want)
					attrs := t.attrs(b, name)
					require.Equal(t, w.size, attrs.Size, w.name)
					require.Equal(t, t.keptType("text/x-test"), attrs.ContentType, w.name)
					require.Equal(t, t.keptMetadata(map[string]string{"k": "v"}), attrs.Metadata, w.name)
				}
			}
		},
	},
	{
		Name: "an empty object", Rule: "W1",
		Explanation: "an object of no bytes is an object, from a reader of known length and from a stream",
		run: func(t *T) {
			b := t.open()
			for name, source := range map[string]io.Reader{"known": strings.NewReader(""), "stream": stream("")} {
				attrs, err := b.Upload(t.Context(), name, source)
				require.NoError(t, err)
				require.Zero(t, attrs.Size)
				t.holds(b, name, "")
				t.exists(b, name)
			}
		},
	},
	{
		Name: "an overwrite replaces everything", Rule: "W1",
		Explanation: "the new object has nothing of the old one: neither bytes nor attributes",
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", body(5000, 1), t.contentType("text/one"), t.optional(storage.ContentProperties, storage.WithCacheControl("no-store")),
				t.optional(storage.ContentProperties, storage.WithContentLanguage("de")), t.metadata(map[string]string{"one": "1"}))
			t.put(b, "a", "short", t.contentType("text/two"))
			t.holds(b, "a", "short")
			attrs := t.attrs(b, "a")
			require.Equal(t, int64(5), attrs.Size)
			require.Equal(t, t.keptType("text/two"), attrs.ContentType)
			require.Empty(t, attrs.CacheControl)
			require.Empty(t, attrs.ContentLanguage)
			require.Empty(t, attrs.Metadata)
		},
	},
	{
		Name: "a failed overwrite leaves the old object", Rule: "W1",
		Explanation: "after an error of the body, size, checksum, condition or ctx the key holds the old object, byte for byte, with its attributes",
		run: func(t *T) {
			for _, w := range t.ways() {
				b := w.open()
				t.put(b, "a", "old", t.metadata(map[string]string{"is": "old"}))
				before := t.snapshot(b)
				for name, failure := range failedUploads(t, w.size) {
					if failure.needs&^t.desc.Features != 0 {
						continue
					}
					ctx := t.Context()
					if failure.ctx != nil {
						ctx = failure.ctx
					}
					_, err := b.Upload(ctx, "a", failure.body(), failure.opts...)
					require.Equal(t, failure.code, storage.CodeOf(err), "%s in %s: %v", name, w.name, err)
					t.settled(err, failure.code)
					require.Equal(t, before, t.snapshot(b), "%s in %s", name, w.name)
				}
				require.Zero(t, t.pendingUploads(), "an upload in parts that failed is aborted:\n%v", t.faults)
			}
		},
	},
	{
		Name: "a failed upload leaves nothing where there was nothing", Rule: "W1",
		Explanation: "no object appears, whole or in part, and no listing shows one",
		run: func(t *T) {
			for _, w := range t.ways() {
				b := w.open()
				for name, failure := range failedUploads(t, w.size) {
					if failure.code == storage.PreconditionFailed {
						continue // there is nothing that it could be
					}
					ctx := t.Context()
					if failure.ctx != nil {
						ctx = failure.ctx
					}
					_, err := b.Upload(ctx, "dir/a", failure.body(), failure.opts...)
					require.Equal(t, failure.code, storage.CodeOf(err), "%s in %s: %v", name, w.name, err)
					require.Empty(t, t.keys(b), "%s in %s", name, w.name)
				}
			}
		},
	},
	{
		Name: "a cancelled upload stores nothing", Rule: "W1",
		Explanation: "ctx that ends in the middle of the body is Canceled; nothing is visible and the upload in parts is aborted",
		run: func(t *T) {
			for _, w := range t.ways() {
				b := w.open()
				ctx, cancel := context.WithCancel(t.Context())
				_, err := b.Upload(ctx, "a", cancelAfter(body(w.size, 1), w.size/2, cancel))
				cancel()
				require.Equal(t, storage.Canceled, storage.CodeOf(err), "%s: %v", w.name, err)
				require.ErrorIs(t, err, context.Canceled)
				require.NotErrorIs(t, err, storage.OutcomeUnknown)
				require.Empty(t, t.keys(b), w.name)
			}
			require.Zero(t, t.pendingUploads(), "%v", t.faults)
		},
	},
	{
		Name: "readers see whole objects while a writer overwrites", Rule: "W1",
		Explanation: "the bytes and the attributes of one Download always belong together",
		run:         readersAndWriter,
	},
	{
		Name: "a Writer stores at Commit and never else", Rule: "W1",
		Explanation: "Close without Commit discards; Commit answers as Upload; a second one answers as the first",
		run:         writerCommits,
	},
	{
		Name: "Close without Commit fails after a write", Rule: "W1",
		Explanation: "code that takes Close for the commit gets an error, and not a missing object; a writer that was not written to closes with nil",
		run: func(t *T) {
			b := t.open()
			w := storage.NewWriter(t.Context(), b, "a")
			require.NoError(t, w.Close(), "nothing was written")
			w = storage.NewWriter(t.Context(), b, "a")
			_, err := io.WriteString(w, "text")
			require.NoError(t, err)
			err = w.Close()
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, "nothing was stored")
			require.Equal(t, err, w.Close(), "a second call returns the same")
			_, err = w.Commit()
			require.ErrorIs(t, err, storage.InvalidArgument)
			t.missing(b, "a")
		},
	},
	{
		Name: "a Writer that fails says so", Rule: "W1",
		Explanation: "what makes the upload fail is the answer of Commit, and Write does not block",
		run: func(t *T) {
			b := t.open()
			w := storage.NewWriter(t.Context(), b, "a", storage.WithSize(3))
			_, _ = io.WriteString(w, "longer")
			_, err := w.Commit()
			t.settled(err, storage.BodyFailed)
			require.NoError(t, w.Close())
			t.missing(b, "a")
			w = storage.NewWriter(t.Context(), b, "../a")
			_, _ = io.WriteString(w, "x")
			_, err = w.Commit()
			t.settled(err, storage.InvalidArgument)
			require.NoError(t, w.Close())
		},
	},
	{
		Name: "a Writer whose source failed cannot be committed", Rule: "W11",
		Explanation: "ReadFrom returns the source's error; Commit is BodyFailed, whatever is written after it, and the old object stays",
		run: func(t *T) {
			for _, way := range t.ways() {
				b := way.open()
				t.put(b, "a", "old")
				w := storage.NewWriter(t.Context(), b, "a")
				_, err := io.WriteString(w, "head ")
				require.NoError(t, err)
				n, err := w.ReadFrom(failing(body(way.size, 1), errBoom))
				require.Equal(t, errBoom, err, way.name)
				require.Equal(t, way.size, n)
				_, err = io.WriteString(w, " tail")
				require.Error(t, err, way.name)
				attrs, err := w.Commit()
				require.Nil(t, attrs, way.name)
				t.settled(err, storage.BodyFailed)
				require.ErrorIs(t, err, errBoom)
				_, again := w.Commit()
				require.Equal(t, err, again)
				require.NoError(t, w.Close())
				t.holds(b, "a", "old")
			}
		},
	},
	{
		Name: "a Writer takes empty writes", Rule: "W1",
		Explanation: "a template with many empty values writes nothing many times: that is no body that makes no progress",
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
			require.ErrorIs(t, err, storage.InvalidArgument, "it is closed")
			require.NoError(t, w.Close())
			t.holds(b, "a", "content")
		},
	},
	{
		Name: "an upload whose source reads the same bucket", Rule: "W1",
		Explanation: "no lock is held while the caller's reader is read",
		run: func(t *T) {
			b := t.open()
			t.put(b, "source", "text")
			reader, err := b.Download(t.Context(), "source")
			require.NoError(t, err)
			_, err = b.Upload(t.Context(), "target", onlyReader{reader})
			require.NoError(t, err)
			require.NoError(t, reader.Close())
			t.holds(b, "target", "text")

			busy := readFunc(func() { t.put(b, "meanwhile", "x"); t.keys(b) })
			_, err = b.Upload(t.Context(), "slow", io.MultiReader(strings.NewReader("head"), busy))
			require.NoError(t, err)
			t.holds(b, "slow", "head")
			t.holds(b, "meanwhile", "x")
		},
	},
	{
		Name: "attributes of a write need no second request", Rule: "W4",
		Explanation: "Upload answers from the write's own answer and from what was sent; they are those that Attrs then gives",
		run:         writeAnswers,
	},
	{
		Name: "a body that is too long fails early", Rule: "W3",
		Explanation: "what would pass the provider's limits is TooLarge, never cut off, and known sizes make no request",
		Needs:       storage.UploadParts,
		run: func(t *T) {
			b := t.limited(faults.Bounds{
				Without: storage.StreamPut, MaxPutSize: t.unit, MinPartSize: t.unit, MaxPartSize: t.unit, MaxParts: 2,
			})
			_, err := b.Upload(t.Context(), "fits", stream(body(2*t.unit, 1)))
			require.NoError(t, err)
			_, err = b.Upload(t.Context(), "a", stream(body(2*t.unit+1, 1)))
			t.settled(err, storage.TooLarge)
			t.missing(b, "a")
			require.Zero(t, t.pendingUploads(), "%v", t.faults)
			t.silently(func() {
				_, err = b.Upload(t.Context(), "a", strings.NewReader(body(2*t.unit+1, 1)))
				t.settled(err, storage.TooLarge)
			})
		},
	},
	{
		Name: "a body that is too long for a store without parts", Rule: "W3",
		Explanation: "TooLarge, and nothing stored",
		run: func(t *T) {
			b := t.limited(faults.Bounds{Without: storage.UploadParts | storage.StreamPut, MaxPutSize: 1000})
			t.put(b, "fits", body(1000, 1))
			for _, source := range []io.Reader{strings.NewReader(body(1001, 1)), stream(body(1001, 1))} {
				_, err := b.Upload(t.Context(), "a", source)
				t.settled(err, storage.TooLarge)
			}
			require.Equal(t, []string{"fits"}, t.keys(b))
		},
	},
}

// cancelAfter is a stream that cancels after n bytes and goes on.
func cancelAfter(text string, n int64, cancel func()) io.Reader {
	return io.MultiReader(strings.NewReader(text[:n]), readFunc(cancel), strings.NewReader(text[n:]))
}

// readFunc runs once, when it is read, and is then at its end.
type readFunc func()

func (f readFunc) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}

func readersAndWriter(t *T) {
	const writes, readers = 20, 2
	b := t.open()
	write := func(i int) {
		text := body(int64(1000+i), byte(i))
		t.put(b, "a", text, t.metadata(map[string]string{"sum": fmt.Sprintf("%08x", sum([]byte(text)))}))
	}
	write(0)
	done := make(chan struct{})
	var all sync.WaitGroup
	for range readers {
		all.Go(func() {
			for {
				data, attrs, err := storage.ReadAll(t.Context(), b, "a")
				switch {
				case errors.Is(err, storage.Changed): // said, not spliced
				case err != nil:
					t.Errorf("reading: %v", err)
					return
				case t.has(storage.Metadata) && attrs.Metadata["sum"] != fmt.Sprintf("%08x", sum(data)),
					string(data) != body(attrs.Size, byte(attrs.Size-1000)):
					t.Errorf("%d bytes with the attributes of another object: %+v", len(data), attrs)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range writes {
		write(i)
	}
	close(done)
	all.Wait()
}

func writerCommits(t *T) {
	for _, way := range t.ways() {
		b := way.open()
		text := body(way.size, 1)
		w := storage.NewWriter(t.Context(), b, "a", t.contentType("text/x-test"))
		for rest := text; rest != ""; {
			n := min(len(rest), 700)
			written, err := io.WriteString(w, rest[:n])
			require.NoError(t, err)
			require.Equal(t, n, written)
			rest = rest[n:]
		}
		t.missing(b, "a")
		attrs, err := w.Commit()
		require.NoError(t, err)
		require.Equal(t, way.size, attrs.Size)
		again, err := w.Commit()
		require.NoError(t, err)
		require.Equal(t, attrs, again)
		require.NoError(t, w.Close())
		require.NoError(t, w.Close())
		t.holds(b, "a", text)
		require.Equal(t, t.keptType("text/x-test"), t.attrs(b, "a").ContentType)

		w = storage.NewWriter(t.Context(), b, "b")
		n, err := w.ReadFrom(strings.NewReader(text))
		require.NoError(t, err)
		require.Equal(t, way.size, n)
		require.ErrorIs(t, w.Close(), storage.InvalidArgument)
		t.missing(b, "b")

		w = storage.NewWriter(t.Context(), b, "empty")
		_, err = w.Commit()
		require.NoError(t, err)
		require.NoError(t, w.Close())
		t.holds(b, "empty", "")
	}
}

func writeAnswers(t *T) {
	for _, w := range t.ways() {
		b := w.open()
		text := body(w.size, 1)
		before := t.faults.Count(faults.Reads)
		answer, err := b.Upload(t.Context(), "a.png", strings.NewReader(text),
			t.optional(storage.ContentProperties, storage.WithCacheControl("max-age=60")),
			t.optional(storage.ContentProperties, storage.WithContentDisposition(`attachment; filename="x"`)),
			t.optional(storage.ContentProperties, storage.WithContentLanguage("de")),
			t.optional(storage.ContentProperties, storage.WithContentEncoding("x-test")),
			t.metadata(map[string]string{"k": "v"}))
		require.NoError(t, err)
		require.Equal(t, before, t.faults.Count(faults.Reads), "%s: no second request:\n%v", w.name, t.faults)
		require.Equal(t, "a.png", answer.Key)
		require.Equal(t, w.size, answer.Size)
		require.Equal(t, "image/png", answer.ContentType)
		require.NotEmpty(t, answer.ETag)
		require.NotEmpty(t, answer.Revision)

		stored := t.attrs(b, "a.png")
		require.Equal(t, stored.Properties, answer.Properties, w.name)
		require.Equal(t, stored.ETag, answer.ETag, w.name)
		require.Equal(t, stored.Revision, answer.Revision, w.name)
		require.Equal(t, stored.Version, answer.Version, w.name)
		require.False(t, stored.Modified.IsZero())
		require.Equal(t, time.UTC, stored.Modified.Location())
		if !answer.Modified.IsZero() {
			require.WithinDuration(t, stored.Modified, answer.Modified, time.Second)
		}
	}
}
