package storagetest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing/iotest"
	"time"

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

// rangeRow is one range of an object of ten bytes, "0123456789".
type rangeRow struct {
	offset, length int64
	want           string
	at             int64
	code           storage.Code
}

var rangeRows = []rangeRow{
	{0, -1, "0123456789", 0, ""},
	{0, 10, "0123456789", 0, ""},
	{0, 1, "0", 0, ""},
	{9, 1, "9", 9, ""},
	{3, 4, "3456", 3, ""},
	{3, -1, "3456789", 3, ""},
	{0, 100, "0123456789", 0, ""},
	{8, 100, "89", 8, ""},
	{3, 1<<63 - 1, "3456789", 3, ""},
	{0, 0, "", 0, ""},
	{5, 0, "", 5, ""},
	{10, 0, "", 10, ""},
	{10, -1, "", 10, ""},
	{10, 5, "", 10, ""},
	{11, 0, "", 0, storage.RangeNotSatisfiable},
	{11, 1, "", 0, storage.RangeNotSatisfiable},
	{11, -1, "", 0, storage.RangeNotSatisfiable},
	{1 << 40, 1, "", 0, storage.RangeNotSatisfiable},
	{-1, -1, "9", 9, ""},
	{-10, -1, "0123456789", 0, ""},
	{-11, -1, "0123456789", 0, ""},
	{-1 << 63, -1, "0123456789", 0, ""},
	{-1, 0, "", 0, storage.InvalidArgument},
	{-1, 1, "", 0, storage.InvalidArgument},
}

var emptyRangeRows = []rangeRow{
	{0, -1, "", 0, ""},
	{0, 0, "", 0, ""},
	{0, 10, "", 0, ""},
	{-5, -1, "", 0, ""},
	{1, 0, "", 0, storage.RangeNotSatisfiable},
	{1, -1, "", 0, storage.RangeNotSatisfiable},
	{1, 1, "", 0, storage.RangeNotSatisfiable},
}

var rangeCases = []Case{
	{
		Name: "ranges", Rule: "R3",
		Explanation: "the end is clamped, an offset at the end reads nothing, behind it is RangeNotSatisfiable, below zero are the last bytes",
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "0123456789")
			t.put(b, "empty", "")
			for _, concurrency := range []int{1, 3} {
				for _, row := range rangeRows {
					readRange(t, b, "a", row, concurrency)
				}
				for _, row := range emptyRangeRows {
					readRange(t, b, "empty", row, concurrency)
				}
			}
		},
	},
}

func readRange(t *T, b storage.Downloader, key string, row rangeRow, concurrency int) {
	t.Helper()
	reader, err := b.Download(t.Context(), key, storage.WithRange(row.offset, row.length), storage.WithConcurrency(concurrency))
	if row.code != "" {
		require.Equal(t, row.code, storage.CodeOf(err), "%s %+v: %v", key, row, err)
		return
	}
	require.NoError(t, err, "%s %+v", key, row)
	offset, length := reader.Range()
	require.Equal(t, []int64{row.at, int64(len(row.want))}, []int64{offset, length}, "%s %+v", key, row)
	whole := int64(10)
	if key == "empty" {
		whole = 0
	}
	require.Equal(t, whole, reader.Attrs().Size, "Attrs is of the whole object: %+v", row)
	require.Equal(t, key, reader.Attrs().Key)
	got, err := drain(t, reader)
	require.NoError(t, err, "%s %+v", key, row)
	require.Equal(t, row.want, got, "%s %+v", key, row)
}

var resumeCases = []Case{
	{
		Name: "a download survives a dropped connection", Rule: "R2",
		Explanation: "it goes on at the byte where it stopped, wherever that is, whole and in a range, and delivers each byte once",
		run: func(t *T) {
			b := t.open()
			text := body(5000, 1)
			t.put(b, "a", text)
			for _, at := range []int64{0, 1, 2500, 4999, 5000} {
				t.faults.Set(faults.Cut(faults.Get, at).Nth(1))
				t.holds(b, "a", text)
				t.faults.Set(faults.Cut(faults.Get, at).Nth(1))
				requireSame(t, text[100:4100], t.get(b, "a", storage.WithRange(100, 4000)))
				t.faults.Set(faults.Cut(faults.Get, at).Nth(1))
				requireSame(t, text[4000:], t.get(b, "a", storage.WithRange(-1000, -1)))
				t.faults.Set(faults.Cut(faults.Get, at).Nth(1))
				requireSame(t, text, t.get(b, "a", storage.WithConcurrency(3)))
			}
			t.faults.Set(faults.Cut(faults.Get, 1000).First(3))
			t.holds(b, "a", text)
		},
	},
	{
		Name: "a resumed download fails on the way", Rule: "R2",
		Explanation: "the request that resumes is retried as any other, and a lost answer of it loses nothing",
		run: func(t *T) {
			b := t.open()
			text := body(5000, 1)
			t.put(b, "a", text)
			for _, second := range []faults.Rule{faults.Fail(faults.Get).Nth(2), faults.LoseAnswer(faults.Get).Nth(2)} {
				t.faults.Set(faults.Cut(faults.Get, 1000).Nth(1), second)
				t.holds(b, "a", text)
			}
		},
	},
	{
		Name: "a short body is an error, never the end", Rule: "R2",
		Explanation: "bytes are counted against the promised length: a body that ends early with io.EOF is resumed or an error",
		run: func(t *T) {
			b := t.open()
			text := body(5000, 1)
			t.put(b, "a", text)
			t.faults.Set(faults.Cut(faults.Get, 1000).Nth(1).With(io.EOF))
			t.holds(b, "a", text)
			t.faults.Set(faults.Cut(faults.Get, 0).With(io.EOF))
			reader, err := b.Download(t.Context(), "a")
			require.NoError(t, err)
			got, err := drain(t, reader)
			t.fails(err, storage.Unavailable)
			require.Empty(t, got)
		},
	},
	{
		Name: "resuming is bounded", Rule: "R2",
		Explanation: "a connection that drops for ever is Unavailable after a bounded number of requests",
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", body(5000, 1))
			t.faults.Set(faults.Cut(faults.Get, 0))
			made := t.requests(func() {
				_, _, err := storage.ReadAll(t.Context(), b, "a")
				t.fails(err, storage.Unavailable)
				require.ErrorIs(t, err, io.ErrUnexpectedEOF, "the cause is reachable")
			})
			require.LessOrEqual(t, made, 100)
			require.Greater(t, made, 1)
		},
	},
	{
		Name: "a stalled download is resumed", Rule: "R2",
		Explanation: "no byte for as long as RetryPolicy.Stall is a dropped connection",
		run: func(t *T) {
			t.faults.Set(faults.StallBody(0)) // says, before the bucket is opened, that there will be stalls
			b := t.open(storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Millisecond, Stall: 300 * time.Millisecond}))
			t.faults.Set()
			text := body(5000, 1)
			t.put(b, "a", text)
			t.faults.Set(faults.StallBody(1000).Nth(1))
			t.holds(b, "a", text)
			t.faults.Set(faults.StallBody(0).Nth(1))
			requireSame(t, text, t.get(b, "a", storage.WithConcurrency(2)))
		},
	},
	{
		Name: "an object that changes under a download is Changed", Rule: "R2",
		Explanation: "two revisions are never spliced: what follows the drop is of the first revision, or an error",
		run:         changesUnderDownload("another"),
	},
	{
		Name: "an object that is removed under a download is Changed", Rule: "R2",
		Explanation: "after the drop it is not there any more, which is not ObjectNotFound: it was",
		run:         changesUnderDownload(""),
	},
	{
		Name: "a read that was begun ends with ctx", Rule: "E3",
		Explanation: "ctx governs the reader until Close: Canceled within a moment, also while the store delivers nothing",
		run: func(t *T) {
			t.faults.Set(faults.StallBody(0)) // says, before the bucket is opened, that there will be stalls
			b := t.open()
			t.faults.Set()
			text := body(5000, 1)
			t.put(b, "a", text)
			for _, concurrency := range []int{1, 3} {
				ctx, cancel := contextOf(t)
				t.faults.Set(faults.StallBody(1000))
				reader, err := b.Download(ctx, "a", storage.WithConcurrency(concurrency))
				require.NoError(t, err)
				_, err = io.CopyN(io.Discard, onlyReader{reader}, 500)
				require.NoError(t, err)
				go cancel()
				_, err = io.Copy(io.Discard, onlyReader{reader})
				require.Equal(t, storage.Canceled, storage.CodeOf(err), "%v", err)
				require.NoError(t, reader.Close())
			}
		},
	},
}

// changesUnderDownload replaces the object by text, or removes it, between a
// drop and the request that resumes.
func changesUnderDownload(text string) func(t *T) {
	return func(t *T) {
		for _, concurrency := range []int{1, 3} {
			var other storage.Bucket
			b, other := t.pair(meddle("Get", 2, func() {
				if text == "" {
					require.NoError(t, other.Remove(t.Context(), "a"))
					return
				}
				t.put(other, "a", text)
			}))
			whole := body(5000, 1)
			t.put(b, "a", whole)
			t.faults.Set(faults.Cut(faults.Get, 1000).Nth(1))
			got, _, err := storage.ReadAll(t.Context(), b, "a", storage.WithConcurrency(concurrency))
			if err == nil {
				requireSame(t, whole, string(got)) // the provider still had the revision
				continue
			}
			t.fails(err, storage.Changed)
			require.False(t, errors.Is(err, storage.ObjectNotFound) || errors.Is(err, storage.PreconditionFailed), "%v", err)
		}
	}
}
