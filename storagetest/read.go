package storagetest

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/faults"
)

var readCases = []Case{
	{
		Name:        "a reader delivers bytes and attributes",
		Rule:        "R1",
		Explanation: "Attrs describes the whole object and Range the delivered bytes; Close returns nil before and after a full read, and again",
		run: func(t *T) {
			b := t.open()
			text := body(3000, 1)
			t.put(b, "a", text, t.contentType("text/x-test"))
			reader, err := b.Download(t.Context(), "a")
			require.NoError(t, err)
			require.Equal(t, t.attrs(b, "a"), reader.Attrs())
			offset, length := reader.Range()
			require.Equal(t, []int64{0, 3000}, []int64{offset, length})
			require.NoError(t, iotest.TestReader(reader, []byte(text)))
			n, err := reader.Read(make([]byte, 1))
			require.Zero(t, n)
			require.Equal(t, io.EOF, err)
			require.NoError(t, reader.Close())
			require.NoError(t, reader.Close())

			reader, err = b.Download(t.Context(), "a")
			require.NoError(t, err)
			require.NoError(t, reader.Close(), "Close before anything was read")
			_, err = reader.Read(make([]byte, 1))
			require.Error(t, err)
			require.NotErrorIs(t, err, io.EOF, "a closed reader must not report the end")
			require.Zero(t, t.faults.OpenBodies())
		},
	},
	{
		Name:        "a full read frees the connection",
		Rule:        "R1",
		Explanation: "the body is closed with the reader, nothing stays open, and WriteTo delivers the same bytes as Read",
		run: func(t *T) {
			b := t.open()
			text := body(100_000, 1)
			t.put(b, "a", text)
			var buf bytes.Buffer
			reader, err := b.Download(t.Context(), "a")
			require.NoError(t, err)
			n, err := reader.WriteTo(&buf)
			require.NoError(t, err)
			require.Equal(t, int64(len(text)), n)
			require.NoError(t, reader.Close())
			requireSame(t, text, buf.String())

			buf.Reset()
			reader, err = b.Download(t.Context(), "a")
			require.NoError(t, err)
			_, err = io.CopyN(&buf, onlyReader{reader}, 10)
			require.NoError(t, err)
			_, err = reader.WriteTo(&buf)
			require.NoError(t, err)
			require.NoError(t, reader.Close())
			requireSame(t, text, buf.String())
			require.Zero(t, t.faults.OpenBodies())

			reader, err = b.Download(t.Context(), "a")
			require.NoError(t, err)
			_, err = reader.WriteTo(failingWriter{})
			require.ErrorIs(t, err, errBoom)
			require.NoError(t, reader.Close())
		},
	},
	{
		Name:        "stored bytes are delivered as they are",
		Rule:        "R1",
		Explanation: "a gzip-encoded object is not decompressed: whole, in a range, and after a dropped connection",
		Needs:       storage.ContentProperties,
		run: func(t *T) {
			b := t.open()
			var packed bytes.Buffer
			w := gzip.NewWriter(&packed)
			_, _ = io.WriteString(w, strings.Repeat("compressible ", 1000)+body(2000, 1))
			require.NoError(t, w.Close())
			want := packed.String()
			t.put(b, "a.txt", want, storage.WithContentEncoding("gzip"), storage.WithContentType("text/plain"))
			t.requireContent(b, "a.txt", want)
			attrs := t.attrs(b, "a.txt")
			require.Equal(t, "gzip", attrs.ContentEncoding)
			require.Equal(t, int64(len(want)), attrs.Size)
			requireSame(t, want[10:110], t.get(b, "a.txt", storage.WithRange(10, 100)))
			t.faults.Set(faults.Cut(faults.Get, 100).Nth(1))
			t.requireContent(b, "a.txt", want)
		},
	},
	{
		Name:        "Download itself reports a missing object",
		Rule:        "R1",
		Explanation: "Download returns ObjectNotFound, and not the first Read",
		run: func(t *T) {
			b := t.open()
			for _, opts := range [][]storage.DownloadOption{
				nil, {storage.WithRange(0, 10)}, {storage.WithRange(-5, -1)}, {storage.WithConcurrency(4)},
			} {
				_, err := b.Download(t.Context(), "missing", opts...)
				t.requireCode(err, storage.ObjectNotFound)
			}
		},
	},
	{
		Name:        "conditional reads",
		Rule:        "R4",
		Explanation: "IfRevision fails with PreconditionFailed, IfRevisionNot with NotModified, and both with ObjectNotFound for a missing object",
		run: func(t *T) {
			b := t.open()
			old := t.put(b, "a", "old").Revision
			current := t.put(b, "a", "now").Revision
			require.Equal(t, "now", t.get(b, "a", storage.IfRevision(current)))
			require.Equal(t, "now", t.get(b, "a", storage.IfRevisionNot(old)))
			require.Equal(t, int64(3), t.attrs(b, "a", storage.IfRevision(current)).Size)
			require.Equal(t, int64(3), t.attrs(b, "a", storage.IfRevisionNot(old)).Size)
			for _, c := range []struct {
				key  string
				opt  storage.ReadOption
				code storage.Code
			}{
				{"a", revisionOnly(old), storage.PreconditionFailed},
				{"a", storage.IfRevisionNot(current), storage.NotModified},
				{"missing", revisionOnly(current), storage.ObjectNotFound},
				{"missing", storage.IfRevisionNot(current), storage.ObjectNotFound},
			} {
				_, err := b.Download(t.Context(), c.key, c.opt)
				t.requireCode(err, c.code)
				_, err = b.Attrs(t.Context(), c.key, c.opt)
				t.requireCode(err, c.code)
			}
			_, err := b.Download(t.Context(), "a", storage.IfRevisionNot(current), storage.WithRange(1, 1))
			t.requireCode(err, storage.NotModified)
			require.Zero(t, t.faults.OpenBodies())
		},
	},
	{
		Name:        "a parallel download delivers the same bytes",
		Rule:        "R6",
		Explanation: "WithConcurrency delivers the bytes in order, whole and in ranges, through Read and WriteTo",
		run: func(t *T) {
			b := t.open()
			text := body(200_000, 1)
			t.put(b, "a", text)
			t.put(b, "empty", "")
			for _, n := range []int{1, 2, 7} {
				requireSame(t, text, t.get(b, "a", storage.WithConcurrency(n)))
				requireSame(t, text[1000:150_000], t.get(b, "a", storage.WithConcurrency(n), storage.WithRange(1000, 149_000)))
				requireSame(t, text[199_000:], t.get(b, "a", storage.WithConcurrency(n), storage.WithRange(-1000, -1)))
				requireSame(t, "", t.get(b, "empty", storage.WithConcurrency(n)))
			}
		},
	},
	{
		Name:        "unused concurrency costs nothing",
		Rule:        "R6",
		Explanation: "WithConcurrency limits the number of requests and does not set it: the largest number costs no more than a large one",
		run: func(t *T) {
			b := t.openForPartsOrWhole()
			text := body(max(2*t.unit, 600_000), 1)
			for _, bound := range []int{math.MaxInt32, math.MaxInt} {
				for name, source := range map[string]io.Reader{"in place": strings.NewReader(text), "a stream": stream(text)} {
					_, err := b.Upload(t.Context(), name, source, storage.WithConcurrency(bound))
					require.NoError(t, err, "%s, %d at once", name, bound)
				}
				requireSame(t, text, t.get(b, "in place", storage.WithConcurrency(bound)))
				requireSame(t, text[1:], t.get(b, "a stream", storage.WithConcurrency(bound), storage.WithRange(1, -1)))
				path := filepath.Join(t.TempDir(), "to")
				_, err := storage.DownloadFile(t.Context(), b, "a stream", path, storage.WithConcurrency(bound))
				require.NoError(t, err)
				requireSame(t, text, readFile(t, path))
			}
		},
	},
	{
		Name:        "WriteTo returns the writer's own error",
		Rule:        "R1",
		Explanation: "WriteTo returns it unchanged for a whole object, a range and a parallel download, whichever path the bytes take",
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", body(300_000, 1))
			for name, w := range map[string]io.Writer{"a writer": failingWriter{}, "one that reads": failingReaderFrom{}} {
				for path, opts := range map[string][]storage.DownloadOption{
					"whole":             nil,
					"a range":           {storage.WithRange(1, -1)},
					"in parallel":       {storage.WithConcurrency(3)},
					"a range, parallel": {storage.WithRange(1, 290_000), storage.WithConcurrency(3)},
					"with progress":     {storage.WithRange(1, -1), storage.WithProgress(func(int64, int64) {})},
				} {
					reader, err := b.Download(t.Context(), "a", opts...)
					require.NoError(t, err)
					_, err = reader.WriteTo(w)
					require.Equal(t, errBoom, err, "%s, %s", name, path)
					require.NoError(t, reader.Close())
				}
			}
		},
	},
	{
		Name:        "Close in the middle stops everything",
		Rule:        "R6",
		Explanation: "at any moment of a download, parallel or not, Close leaves no body open and releases the memory",
		run: func(t *T) {
			b := t.open(storage.WithBufferLimit(&storage.BufferLimit{Max: 1 << 20}))
			text := body(3<<20, 1)
			t.put(b, "a", text)
			for _, size := range []int64{0, 1, 100_000, 2 << 20, 3 << 20} {
				for _, n := range []int{1, 4} {
					reader, err := b.Download(t.Context(), "a", storage.WithConcurrency(n))
					require.NoError(t, err)
					_, err = io.CopyN(io.Discard, onlyReader{reader}, size)
					require.NoError(t, err)
					require.NoError(t, reader.Close())
					require.Zero(t, t.faults.OpenBodies(), "after %d bytes with concurrency %d", size, n)
				}
			}
			requireSame(t, text, t.get(b, "a", storage.WithConcurrency(4)))
		},
	},
	{
		Name:        "an object is longer than any document",
		Rule:        "E1",
		Explanation: "the bound of documents, 16 MiB, is none of objects: not of their attributes, copies, moves and random access either",
		run: func(t *T) {
			b := t.open()
			text := body(17<<20, 1)
			if !t.putIfFits(b, text) {
				return
			}
			require.EqualValues(t, len(text), t.attrs(b, "a").Size)
			ok, err := b.Exists(t.Context(), "a")
			require.NoError(t, err)
			require.True(t, ok)
			_, err = storage.Copy(t.Context(), b, "copy", b, "a")
			require.NoError(t, err)
			_, err = storage.Move(t.Context(), b, "copy", "moved")
			require.NoError(t, err)
			ra, err := storage.NewReaderAt(t.Context(), b, "moved")
			require.NoError(t, err)
			last := make([]byte, 100)
			_, err = ra.ReadAt(last, int64(len(text)-len(last)))
			require.NoError(t, err)
			require.NoError(t, ra.Close())
			requireSame(t, text[len(text)-len(last):], string(last))
			requireSame(t, text, t.get(b, "a"))
		},
	},
	{
		Name:        "a canceled read stops within a chunk",
		Rule:        "E3",
		Explanation: "if ctx ends in the middle of a read, the read is Canceled before another MiB, whichever path the bytes take; DownloadFile leaves nothing",
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", body(4<<20, 1))
			for name, opts := range map[string][]storage.DownloadOption{
				"whole":       nil,
				"a range":     {storage.WithRange(1, -1)},
				"in parallel": {storage.WithConcurrency(3)},
			} {
				for way, read := range canceledReads {
					ctx, cancel := context.WithCancel(t.Context())
					reader, err := b.Download(ctx, "a", opts...)
					require.NoError(t, err)
					n, err := read(reader, cancel)
					t.requireCode(err, storage.Canceled)
					require.LessOrEqual(t, n, int64(1<<20), "%s, %s", name, way)
					require.NoError(t, reader.Close())
				}
				ctx, cancel := context.WithCancel(t.Context())
				dir := t.TempDir()
				progress := storage.WithProgress(func(int64, int64) {
					cancel()
				})
				_, err := storage.DownloadFile(ctx, b, "a", filepath.Join(dir, "to"), append(opts, progress)...)
				t.requireCode(err, storage.Canceled)
				leftovers, err := os.ReadDir(dir)
				require.NoError(t, err)
				require.Empty(t, leftovers, "%s: DownloadFile", name)
			}
		},
	},
}

// canceledReads are ways to read r. Each function cancels its read after it has received bytes.
var canceledReads = map[string]func(r *storage.Reader, cancel func()) (int64, error){
	"to a writer": func(r *storage.Reader, cancel func()) (int64, error) { return r.WriteTo(cancelingWriter{cancel}) },
	"to a writer that reads": func(r *storage.Reader, cancel func()) (int64, error) {
		return r.WriteTo(cancelingSocket{cancelingWriter{cancel}})
	},
	"into memory": func(r *storage.Reader, cancel func()) (int64, error) {
		all := make([]byte, 4<<20)
		n, err := r.Read(all)
		if err != nil {
			return int64(n), err
		}
		cancel()
		k, err := io.ReadFull(r, all[n:])
		return int64(n + k), err
	},
}

type cancelingWriter struct{ cancel func() }

func (w cancelingWriter) Write(p []byte) (int, error) {
	w.cancel()
	return len(p), nil
}

// A cancelingSocket is a writer with ReadFrom, like a network connection. It cancels the read when
// it receives bytes.
type cancelingSocket struct{ to cancelingWriter }

func (s cancelingSocket) Write(p []byte) (int, error) { return s.to.Write(p) }

func (s cancelingSocket) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(s.to, r)
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errBoom }

// A failingReaderFrom is a writer with ReadFrom, like a network connection. It fails after 1,000
// bytes.
type failingReaderFrom struct{ failingWriter }

// ReadFrom reads 1,000 bytes and then fails with errBoom.
func (failingReaderFrom) ReadFrom(r io.Reader) (int64, error) {
	const limit = 1000
	n, err := io.CopyN(io.Discard, r, limit)
	if err != nil {
		return n, err
	}
	return n, errBoom
}

// revisionOnly returns the option storage.IfRevision with the type storage.ReadOption.
func revisionOnly(revision string) storage.ReadOption { return storage.IfRevision(revision) }
