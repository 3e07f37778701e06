package storagetest

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/faults"
)

var readerAtCases = []Case{
	{
		Name:        "a ReaderAt reads at any offset",
		Rule:        "R3",
		Explanation: "ReadAt, Seek and Read work as for a file, from several goroutines at once",
		run: func(t *T) {
			b := t.open()
			text, r := t.openReaderAt(b, 10_000)
			require.Equal(t, int64(10_000), r.Size())
			require.Equal(t, "a", r.Attrs().Key)
			var all sync.WaitGroup
			for i := range 4 {
				all.Go(func() {
					p := make([]byte, 100)
					offset := int64(i * 2000)
					if n, err := r.ReadAt(p, offset); n != 100 || err != nil || string(p) != text[offset:offset+100] {
						t.Errorf("%d bytes at %d, %v", n, offset, err)
					}
				})
			}
			all.Wait()
			p := make([]byte, 100)
			n, err := r.ReadAt(p, 9_950)
			require.Equal(t, 50, n)
			require.Equal(t, io.EOF, err)
			n, err = r.ReadAt(p, 10_000)
			require.Zero(t, n)
			require.Equal(t, io.EOF, err)
			_, err = r.ReadAt(p, -1)
			require.Error(t, err)
			offset, err := r.Seek(-10, io.SeekEnd)
			require.NoError(t, err)
			require.Equal(t, int64(9_990), offset)
			rest, err := io.ReadAll(r)
			require.NoError(t, err)
			require.Equal(t, text[9_990:], string(rest))
			_, err = r.Seek(0, io.SeekStart)
			require.NoError(t, err)
			data, err := io.ReadAll(r)
			require.NoError(t, err)
			requireSame(t, text, string(data))
			_, err = r.Seek(-1, io.SeekStart)
			require.Error(t, err)
			require.NoError(t, r.Close())
			require.NoError(t, r.Close())
		},
	},
	{
		Name:        "a ReaderAt is pinned to one revision",
		Rule:        "R2",
		Explanation: "if the object is overwritten or removed, reads are Changed and never a mixture",
		run: func(t *T) {
			b := t.open()
			text, r := t.openReaderAt(b, 10_000)
			t.put(b, "a", body(10_000, 2))
			p := make([]byte, 100)
			if _, err := r.ReadAt(p, 5_000); err == nil {
				require.Equal(t, text[5_000:5_100], string(p), "the provider still had the revision")
			} else {
				t.requireCode(err, storage.Changed)
			}
			require.NoError(t, r.Close())
			_, err := storage.NewReaderAt(t.Context(), b, "missing")
			t.requireCode(err, storage.ObjectNotFound)
		},
	},
	{
		Name:        "a ReaderAt is the source of an upload",
		Rule:        "W2",
		Explanation: "the upload reads it in place and in parallel, and stores the same content",
		run: func(t *T) {
			for _, path := range t.uploadPaths() {
				b := path.open()
				text := body(path.size, 1)
				t.put(b, "a", text)
				r, err := storage.NewReaderAt(t.Context(), b, "a")
				require.NoError(t, err)
				_, err = b.Upload(t.Context(), "b", r)
				require.NoError(t, err)
				require.NoError(t, r.Close())
				t.requireContent(b, "b", text)
			}
		},
	},
	{
		Name:        "adjacent ReadAts are one request for each block",
		Rule:        "R7",
		Explanation: "small reads within a block are one request; with WithBlockCache(0), each ReadAt is one",
		run: func(t *T) {
			b := t.open()
			text := body(300_000, 1)
			t.put(b, "a", text)
			for _, row := range []struct {
				opts     []storage.ReaderAtOption
				at       int64
				requests int
			}{
				{nil, 0, 1},
				{nil, 70_000, 1},
				{nil, int64(len(text)) - 6400, 1},
				{[]storage.ReaderAtOption{storage.WithBlockSize(3200)}, 0, 2},
				{[]storage.ReaderAtOption{storage.WithBlockCache(0)}, 0, 100},
				{[]storage.ReaderAtOption{storage.WithBlockCache(1000)}, 0, 100}, // the cache is smaller than one block
			} {
				r, err := storage.NewReaderAt(t.Context(), b, "a", row.opts...)
				require.NoError(t, err)
				n := t.faults.Count(faults.Get)
				for i := range int64(100) {
					requireReadAt(t, r, text, row.at+64*i, 64)
				}
				require.Equal(t, row.requests, t.faults.Count(faults.Get)-n, "%+v", row)
				require.NoError(t, r.Close())
			}
		},
	},
	{
		Name:        "concurrent ReadAts of a block share one request",
		Rule:        "R7",
		Explanation: "a ReadAt of a block that is being fetched waits for it, and all get its bytes",
		run: func(t *T) {
			b := t.open()
			text, r := t.openReaderAt(b, 50_000)
			n := t.faults.Count(faults.Get)
			var all sync.WaitGroup
			for i := range int64(16) {
				all.Go(func() {
					p := make([]byte, 1000)
					if _, err := r.ReadAt(p, i*3000); err != nil || string(p) != text[i*3000:i*3000+1000] {
						t.Errorf("at %d: %v", i*3000, err)
					}
				})
			}
			all.Wait()
			require.Equal(t, 1, t.faults.Count(faults.Get)-n)
			require.NoError(t, r.Close())
		},
	},
	{
		Name:        "a long ReadAt is one request",
		Rule:        "R7",
		Explanation: "bytes that are not in memory are requested together, whatever the size of blocks; those in memory are not requested",
		run: func(t *T) {
			b := t.open()
			text, r := t.openReaderAt(b, 300_000, storage.WithBlockSize(1000))
			n := t.faults.Count(faults.Get)
			requireReadAt(t, r, text, 150_500, 149_500)
			require.Equal(t, 1, t.faults.Count(faults.Get)-n)
			requireReadAt(t, r, text, 10, 10)
			requireReadAt(t, r, text, 100, 100_000)
			require.Equal(t, 3, t.faults.Count(faults.Get)-n)
			require.NoError(t, r.Close())
		},
	},
	{
		Name:        "sequential ReadAts read ahead",
		Rule:        "R7",
		Explanation: "requests grow while access is sequential, for reads shorter and longer than a block, and for two readers at once",
		run: func(t *T) {
			b := t.open()
			text := body(200_000, 1)
			t.put(b, "a", text)
			for _, step := range []int64{100, 1000, 1500} {
				r, err := storage.NewReaderAt(t.Context(), b, "a", storage.WithBlockSize(1000),
					storage.WithBlockCache(140_000))
				require.NoError(t, err)
				n := t.faults.Count(faults.Get)
				half := int64(len(text)) / 2
				for offset := int64(0); offset < half; offset += step {
					requireReadAt(t, r, text, offset, min(step, half-offset))
					requireReadAt(t, r, text, half+offset, min(step, half-offset))
				}
				// The object has 200 blocks. Without reading ahead, at least 200 requests would be
				// made.
				require.LessOrEqual(t, t.faults.Count(faults.Get)-n, 26, "steps of %d", step)
				require.NoError(t, r.Close())
			}
		},
	},
	{
		Name:        "blocks give way to transfers",
		Rule:        "R7",
		Explanation: "readers and uploads share 1 MiB, and all of them end; Close gives the blocks back, and a closed reader reads nothing",
		run: func(t *T) {
			b := t.open(storage.WithBufferLimit(&storage.BufferLimit{Max: 1 << 20}))
			text := body(3<<20, 1)
			t.put(b, "a", text)
			var all sync.WaitGroup
			for i := range int64(3) {
				r, err := storage.NewReaderAt(t.Context(), b, "a")
				require.NoError(t, err)
				all.Go(func() {
					for offset := i * 1000; offset < int64(len(text)); offset += 100_000 {
						p := make([]byte, 1000)
						if n, err := r.ReadAt(p, offset); err != nil && err != io.EOF ||
							string(p[:n]) != text[offset:offset+int64(n)] {
							t.Errorf("%d bytes at %d: %v", n, offset, err)
						}
					}
				})
				all.Go(func() {
					if _, err := b.Upload(t.Context(), fmt.Sprintf("up/%d", i), stream(text)); err != nil {
						t.Errorf("upload: %v", err)
					}
				})
				defer func() {
					require.NoError(t, r.Close())
					_, err := r.ReadAt(make([]byte, 1), 0)
					t.requireNothingDone(err, storage.InvalidArgument)
				}()
			}
			all.Wait()
			for i := range 3 {
				t.requireContent(b, fmt.Sprintf("up/%d", i), text)
			}
		},
	},
	{
		Name:        "a ReaderAt keeps no other revision's bytes",
		Rule:        "R7",
		Explanation: "after a change, what is in memory is still read, and everything else is Changed",
		run: func(t *T) {
			b := t.open()
			text, r := t.openReaderAt(b, 200_000)
			requireReadAt(t, r, text, 10, 100)
			t.put(b, "a", body(200_000, 2))
			t.requireNoRequests(func() {
				requireReadAt(t, r, text, 50, 100)
			})
			for _, length := range []int{100, 100_000} {
				_, err := r.ReadAt(make([]byte, length), 70_000)
				t.requireCode(err, storage.Changed)
			}
			require.NoError(t, r.Close())
			require.Zero(t, t.faults.OpenBodies())
		},
	},
	{
		Name:        "a ReaderAt refuses bad options",
		Rule:        "R7",
		Explanation: "a bad option is InvalidArgument before any request",
		run: func(t *T) {
			b := t.open()
			t.requireNoRequests(func() {
				for _, opts := range [][]storage.ReaderAtOption{
					{storage.WithBlockSize(0)}, {storage.WithBlockCache(-1)}, {storage.IfRevision("")}, {nil},
				} {
					_, err := storage.NewReaderAt(t.Context(), b, "a", opts...)
					t.requireNothingDone(err, storage.InvalidArgument)
				}
			})
		},
	},
	{
		Name:        "a ReaderAt ends with its ctx",
		Rule:        "E3",
		Explanation: "if ctx ends, a ReadAt that waits for the store is Canceled, and so is every later one",
		run: func(t *T) {
			b := t.open()
			text := body(200_000, 1)
			t.put(b, "a", text)
			ctx, cancel := context.WithCancel(t.Context())
			r, err := storage.NewReaderAt(ctx, b, "a")
			require.NoError(t, err)
			requireReadAt(t, r, text, 0, 10)
			t.faults.Set(faults.Stall(faults.Get))
			errc := make(chan error, 2)
			for _, length := range []int{10, 100_000} {
				go func() { errc <- second(r.ReadAt(make([]byte, length), 70_000)) }()
			}
			cancel()
			for range 2 {
				t.requireCode(<-errc, storage.Canceled)
			}
			_, err = r.ReadAt(make([]byte, 10), 0)
			t.requireCode(err, storage.Canceled)
			require.NoError(t, r.Close())
		},
	},
}

// openReaderAt stores an object "a" of so many bytes, and opens it for random access.
func (t *T) openReaderAt(
	b storage.Bucket, size int64, opts ...storage.ReaderAtOption,
) (text string, r *storage.ReaderAt) {
	t.Helper()
	text = body(size, 1)
	t.put(b, "a", text)
	r, err := storage.NewReaderAt(t.Context(), b, "a", opts...)
	require.NoError(t, err)
	return text, r
}

// requireReadAt requires that a read at offset returns length bytes of text.
func requireReadAt(t *T, r *storage.ReaderAt, text string, offset, length int64) {
	t.Helper()
	buf := make([]byte, length)
	n, err := r.ReadAt(buf, offset)
	require.NoError(t, err, "at %d", offset)
	require.Equal(t, length, int64(n))
	requireSame(t, text[offset:offset+length], string(buf))
}
