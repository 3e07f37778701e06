package storagetest

import (
	"bytes"
	"cmp"
	"io"
	"path/filepath"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/storagetest/internal/observe"
)

const (
	slowObject = 11 << 20   // bytes: enough for parallel ranges
	slowRate   = 24_000_000 // bytes a second: much less than a busy machine takes in
)

// slowReadCases are about reads without WithConcurrency over a slow connection.
var slowReadCases = []Case{
	{
		Name: "a slow read fetches parallel ranges", Rule: "R6",
		Explanation: "a read without WithConcurrency that waits for its connection fetches parallel ranges; the bytes arrive in order, once, and verified",
		run: func(t *T) {
			b, text := t.openSlow()
			if b == nil {
				return
			}
			for name, read := range map[string]func() (string, error){
				"Read": func() (string, error) {
					got, _, err := storage.ReadAll(t.Context(), b, "a")
					return string(got), err
				},
				"WriteTo": func() (string, error) {
					reader, err := b.Download(t.Context(), "a")
					require.NoError(t, err)
					var got bytes.Buffer
					_, err = reader.WriteTo(&got)
					require.NoError(t, reader.Close())
					return got.String(), err
				},
				"DownloadFile": func() (string, error) {
					to := filepath.Join(t.TempDir(), "to")
					_, err := storage.DownloadFile(t.Context(), b, "a", to)
					require.NoError(t, err)
					return readFile(t, to), nil
				},
				"a range": func() (string, error) {
					got, _, err := storage.ReadAll(t.Context(), b, "a", storage.WithRange(1, -1))
					return text[:1] + string(got), err
				},
			} {
				// On a machine so busy that the reader does not wait for its connection, a slower connection shows it.
				serial := t.attrs(b, "a").Revision == ""
				for attempt := range 5 {
					t.faults.Set(faults.SlowBody(slowRate >> attempt))
					t.faults.Reset()
					got, err := read()
					require.NoError(t, err, name)
					requireSame(t, text, got)
					if serial || t.faults.Count(faults.Get) > 2 {
						break
					}
				}
				if serial {
					require.Equal(t, 1, t.faults.Count(faults.Get), "%s: requests", name)
				} else {
					require.Greater(t, t.faults.Count(faults.Get), 2, "%s: requests", name)
				}
				require.Zero(t, t.faults.OpenBodies(), name)
			}
		},
	},
	{
		Name: "an ordered concurrency of 1 is one request", Rule: "R6",
		Explanation: "WithConcurrency(1) reads one connection, however slow; so does a read of a few MiB without the option",
		run: func(t *T) {
			b, text := t.openSlow()
			if b == nil {
				return
			}
			t.faults.Reset()
			requireSame(t, text, t.get(b, "a", storage.WithConcurrency(1)))
			require.Equal(t, 1, t.faults.Count(faults.Get))
			t.faults.Reset()
			requireSame(t, text[:8<<20], t.get(b, "a", storage.WithRange(0, 8<<20)))
			require.Equal(t, 1, t.faults.Count(faults.Get))
		},
	},
	{
		Name: "a slow read is closed in the middle", Rule: "R6",
		Explanation: "Close stops parallel ranges that a read has begun by itself, and gives their memory back",
		run: func(t *T) {
			b, text := t.openSlow(storage.WithBufferLimit(&storage.BufferLimit{Max: 1 << 20}))
			if b == nil {
				return
			}
			for _, read := range []int64{1 << 20, 3 << 20, 5 << 20} {
				reader, err := b.Download(t.Context(), "a")
				require.NoError(t, err)
				_, err = io.CopyN(io.Discard, onlyReader{reader}, read)
				require.NoError(t, err)
				require.NoError(t, reader.Close())
				require.Zero(t, t.faults.OpenBodies(), "after %d bytes", read)
			}
			requireSame(t, text, t.get(b, "a"))
		},
	},
	{
		Name: "an object that changes under a slow read is Changed", Rule: "R2",
		Explanation: "every parallel range is of the first response's revision; if the object is replaced before one of them, the read is Changed or delivers that revision",
		run: func(t *T) {
			var other storage.Bucket
			text := body(slowObject, 1)
			t.faults.Set(faults.SlowBody(slowRate))
			b, other := t.openTwice(observe.BeforeCall("Get", 4, func() { t.put(other, "a", body(slowObject, 2)) }))
			if !t.putSlow(b, text) {
				return
			}
			got, _, err := storage.ReadAll(t.Context(), b, "a")
			if err == nil {
				requireSame(t, text, string(got)) // the provider still had the revision
				return
			}
			require.Equal(t, storage.Changed, storage.CodeOf(err), "%v", err)
		},
	},
}

// openSlow opens a bucket whose reads are slow, with the object "a". If no object of the store
// is long enough to be read in parallel, it returns nil.
func (t *T) openSlow(opts ...storage.OpenOption) (storage.Bucket, string) {
	t.Helper()
	t.faults.Set(faults.SlowBody(slowRate)) // announces a network before the bucket is opened
	b, text := t.open(opts...), body(slowObject, 1)
	if !t.putSlow(b, text) {
		return nil, ""
	}
	return b, text
}

// putSlow stores the object "a". It returns false if the store declares that it cannot, and
// proves that.
func (t *T) putSlow(b storage.Bucket, text string) bool {
	t.Helper()
	_, err := b.Upload(t.Context(), "a", strings.NewReader(text))
	most := t.desc.MaxSize
	if !t.has(storage.MultipartUploads) {
		most = cmp.Or(t.desc.MaxPutSize, most)
	}
	if most > 0 && most < int64(len(text)) {
		t.requireCode(err, storage.TooLarge)
		return false
	}
	require.NoError(t, err)
	return true
}
