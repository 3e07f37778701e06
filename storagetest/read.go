package storagetest

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/faults"
)

var readCases = []Case{
	{
		Name: "a reader delivers bytes and attributes", Rule: "R1",
		Explanation: "Attrs is of the whole object, Range of what is delivered; Close is nil after a full read and before, and idempotent",
		run: func(t *T) {
			b := t.open()
			text := body(3000, 1)
			t.put(b, "a", text, storage.WithContentType("text/x-test"))
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
			require.NoError(t, reader.Close(), "before anything was read")
			_, err = reader.Read(make([]byte, 1))
			require.Error(t, err)
			require.NotErrorIs(t, err, io.EOF, "a closed reader has not ended")
			require.Zero(t, t.faults.OpenBodies())
		},
	},
	{
		Name: "a full read frees the connection", Rule: "R1",
		Explanation: "the body is closed when the reader is, nothing is left open, and WriteTo delivers what Read does",
		run: func(t *T) {
			b := t.open()
			text := body(100_000, 1)
			t.put(b, "a", text)
			var to bytes.Buffer
			reader, err := b.Download(t.Context(), "a")
			require.NoError(t, err)
			n, err := reader.WriteTo(&to)
			require.NoError(t, err)
			require.Equal(t, int64(len(text)), n)
			require.NoError(t, reader.Close())
			requireSame(t, text, to.String())

			to.Reset()
			reader, err = b.Download(t.Context(), "a")
			require.NoError(t, err)
			_, err = io.CopyN(&to, onlyReader{reader}, 10)
			require.NoError(t, err)
			_, err = reader.WriteTo(&to)
			require.NoError(t, err)
			require.NoError(t, reader.Close())
			requireSame(t, text, to.String())
			require.Zero(t, t.faults.OpenBodies())

			reader, err = b.Download(t.Context(), "a")
			require.NoError(t, err)
			_, err = reader.WriteTo(failingWriter{})
			require.ErrorIs(t, err, errBoom)
			require.NoError(t, reader.Close())
		},
	},
	{
		Name: "stored bytes are delivered as they are", Rule: "R1",
		Explanation: "a gzip-encoded object is not decompressed: whole, in a range, and with a drop in the middle",
		run: func(t *T) {
			b := t.open()
			var packed bytes.Buffer
			w := gzip.NewWriter(&packed)
			_, _ = io.WriteString(w, strings.Repeat("compressible ", 1000)+body(2000, 1))
			require.NoError(t, w.Close())
			want := packed.String()
			t.put(b, "a.txt", want, storage.WithContentEncoding("gzip"), storage.WithContentType("text/plain"))
			t.holds(b, "a.txt", want)
			attrs := t.attrs(b, "a.txt")
			require.Equal(t, "gzip", attrs.ContentEncoding)
			require.Equal(t, int64(len(want)), attrs.Size)
			requireSame(t, want[10:110], t.get(b, "a.txt", storage.WithRange(10, 100)))
			t.faults.Set(faults.Cut(faults.Get, 100).Nth(1))
			t.holds(b, "a.txt", want)
		},
	},
	{
		Name: "a missing object is an error at the call", Rule: "R1",
		Explanation: "Download answers ObjectNotFound itself, not the first Read",
		run: func(t *T) {
			b := t.open()
			for _, opts := range [][]storage.DownloadOption{
				nil, {storage.WithRange(0, 10)}, {storage.WithRange(-5, -1)}, {storage.WithConcurrency(4)},
			} {
				_, err := b.Download(t.Context(), "missing", opts...)
				t.fails(err, storage.ObjectNotFound)
			}
		},
	},
	{
		Name: "conditional reads", Rule: "R4",
		Explanation: "IfRevision else PreconditionFailed, IfRevisionNot else NotModified, ObjectNotFound where nothing is",
		run: func(t *T) {
			b := t.open()
			old := t.put(b, "a", "old").Revision
			now := t.put(b, "a", "now").Revision
			require.Equal(t, "now", t.get(b, "a", storage.IfRevision(now)))
			require.Equal(t, "now", t.get(b, "a", storage.IfRevisionNot(old)))
			require.Equal(t, int64(3), t.attrs(b, "a", storage.IfRevision(now)).Size)
			require.Equal(t, int64(3), t.attrs(b, "a", storage.IfRevisionNot(old)).Size)
			for _, c := range []struct {
				key  string
				opt  storage.ReadOption
				code storage.Code
			}{
				{"a", revisionOnly(old), storage.PreconditionFailed},
				{"a", storage.IfRevisionNot(now), storage.NotModified},
				{"missing", revisionOnly(now), storage.ObjectNotFound},
				{"missing", storage.IfRevisionNot(now), storage.ObjectNotFound},
			} {
				_, err := b.Download(t.Context(), c.key, c.opt)
				t.fails(err, c.code)
				_, err = b.Attrs(t.Context(), c.key, c.opt)
				t.fails(err, c.code)
			}
			_, err := b.Download(t.Context(), "a", storage.IfRevisionNot(now), storage.WithRange(1, 1))
			t.fails(err, storage.NotModified)
			require.Zero(t, t.faults.OpenBodies())
		},
	},
	{
		Name: "a download in parallel ranges is the same", Rule: "R6",
		Explanation: "WithConcurrency delivers the bytes in order, whole and in ranges, through Read as through WriteTo",
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
		Name: "Close in the middle stops everything", Rule: "R6",
		Explanation: "at any moment of a download, parallel or not, Close leaves no body open and gives the memory back",
		run: func(t *T) {
			b := t.open(storage.WithMemory(storage.NewMemory(1 << 20)))
			text := body(3<<20, 1)
			t.put(b, "a", text)
			for _, read := range []int64{0, 1, 100_000, 2 << 20, 3 << 20} {
				for _, n := range []int{1, 4} {
					reader, err := b.Download(t.Context(), "a", storage.WithConcurrency(n))
					require.NoError(t, err)
					_, err = io.CopyN(io.Discard, onlyReader{reader}, read)
					require.NoError(t, err)
					require.NoError(t, reader.Close())
					require.Zero(t, t.faults.OpenBodies(), "after %d bytes of %d at once", read, n)
				}
			}
			requireSame(t, text, t.get(b, "a", storage.WithConcurrency(4)))
		},
	},
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errBoom }

// revisionOnly is IfRevision as an option of reads.
func revisionOnly(revision string) storage.ReadOption { return storage.IfRevision(revision) }
