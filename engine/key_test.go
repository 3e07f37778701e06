package engine

import (
	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"testing"

	"github.com/stretchr/testify/require"
)

// For any token, openPage returns InvalidArgument, or sealing the opened token returns the same token.
func FuzzListToken(f *testing.F) {
	for _, seed := range []string{"", "x", "AAAAAAAAAAAAAAAA", "!!"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		l := &listOp{op: operation{engine: &engine{desc: driver.Description{Provider: "memory"}}}}
		e := l.openPage(token)
		if token == "" {
			require.Nil(t, e)
			return
		}
		if e != nil {
			require.Equal(t, storage.InvalidArgument, e.Code)
			return
		}
		require.Equal(t, token, seal(l, l.req.Token), "what is taken is what was given")
	})
}

// For any range and size, a download begins within the object, or fails with RangeNotSatisfiable because the range
// begins past the end.
func FuzzRange(f *testing.F) {
	f.Add(int64(0), int64(-1), int64(10))
	f.Add(int64(-5), int64(-1), int64(3))
	f.Add(int64(10), int64(0), int64(10))
	f.Add(int64(-1<<63), int64(-1), int64(10))
	f.Add(int64(1), int64(1<<63-1), int64(10))
	f.Fuzz(func(t *testing.T, offset, length, size int64) {
		if size < 0 {
			t.Skip("no object has such a size")
		}
		var r storage.DownloadOptions
		if r.Apply(storage.WithRange(offset, length)) != nil {
			require.True(t, offset < 0 && length >= 0)
			return
		}
		d := &download{}
		setGet(&d.first.req, &r)
		if e := d.start(&storage.Attrs{Size: size}); e != nil {
			require.Equal(t, storage.RangeNotSatisfiable, e.Code)
			require.Greater(t, offset, size)
			return
		}

		start, n := d.reader.Range()
		require.True(t, start >= 0 && n >= 0 && start+n <= size)
	})
}
