package memstore_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Get returns the bytes of the requested range, and the attributes of the whole object.
func TestGetRanges(t *testing.T) {
	d := newDriver()
	put(t, d, "ten", "0123456789")
	put(t, d, "empty", "")
	tests := map[string]struct {
		key                    string
		offset, length, suffix int64
		want                   string
		wantErr                error
	}{
		"whole":                {key: "ten", length: -1, want: "0123456789"},
		"from an offset":       {key: "ten", offset: 7, length: -1, want: "789"},
		"a middle":             {key: "ten", offset: 2, length: 3, want: "234"},
		"beyond the end":       {key: "ten", offset: 8, length: 1 << 62, want: "89"},
		"empty":                {key: "ten", offset: 3, length: 0},
		"empty from the start": {key: "ten", offset: 0, length: 0},
		"at the end":           {key: "ten", offset: 10, length: 5},
		"past the end": {
			key:     "ten",
			offset:  11,
			length:  0,
			wantErr: storage.RangeNotSatisfiable,
		},
		"a suffix":                  {key: "ten", length: -1, suffix: 4, want: "6789"},
		"a suffix longer than all":  {key: "ten", length: -1, suffix: 1<<63 - 1, want: "0123456789"},
		"whole of an empty object":  {key: "empty", length: -1},
		"suffix of an empty object": {key: "empty", length: -1, suffix: 1},
		"past the end of an empty one": {
			key:     "empty",
			offset:  1,
			length:  -1,
			wantErr: storage.RangeNotSatisfiable,
		},
		"past the end of a missing one": {key: "none", offset: 1, length: -1, wantErr: storage.ObjectNotFound},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			attrs, body, err := d.Get(t.Context(),
				&driver.GetRequest{Key: tt.key, Offset: tt.offset, Length: tt.length, Suffix: tt.suffix})
			if tt.wantErr != nil {
				require.ErrorIs(t, err, tt.wantErr)
				require.Nil(t, body)
				return
			}
			require.NoError(t, err)

			fullAttrs, err := head(d, tt.key)
			require.NoError(t, err)
			require.Equal(t, fullAttrs, attrs)
			data, err := io.ReadAll(body)
			require.NoError(t, err)
			require.Equal(t, tt.want, string(data))
			require.NoError(t, body.Close())
		})
	}
}

// Head and Get fail if their condition does not hold, or if there is no object.
func TestReadConditions(t *testing.T) {
	d := newDriver()
	// The old object had the revision memory:1.
	put(t, d, "k", "old")
	current := put(t, d, "k", "new").Revision
	tests := map[string]struct {
		key       string
		condition storage.Condition
		want      error
	}{
		"IfRevision that holds": {key: "k", condition: storage.Condition{Revision: current}, want: nil},
		"IfRevision that does not hold": {
			key:       "k",
			condition: storage.Condition{Revision: "memory:1"},
			want:      storage.PreconditionFailed,
		},
		"IfRevisionNot that does not hold": {
			key:       "k",
			condition: storage.Condition{NotRevision: current},
			want:      storage.NotModified,
		},
		"IfRevisionNot that holds": {
			key:       "k",
			condition: storage.Condition{NotRevision: "memory:1"},
			want:      nil,
		},
		"IfRevision of a missing object": {
			key:       "none",
			condition: storage.Condition{Revision: current},
			want:      storage.ObjectNotFound,
		},
		"IfRevisionNot of a missing object": {
			key:       "none",
			condition: storage.Condition{NotRevision: current},
			want:      storage.ObjectNotFound,
		},
		"a missing object without a condition": {
			key:       "none",
			condition: storage.Condition{},
			want:      storage.ObjectNotFound,
		},
		"an empty key": {key: "", condition: storage.Condition{}, want: storage.ObjectNotFound},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			req := &driver.GetRequest{Key: tt.key, Length: -1, Condition: tt.condition}
			_, headErr := d.Head(t.Context(), req)
			_, _, getErr := d.Get(t.Context(), req)
			if tt.want == nil {
				require.NoError(t, headErr)
				require.NoError(t, getErr)
				return
			}
			require.ErrorIs(t, headErr, tt.want)
			require.ErrorIs(t, getErr, tt.want)
		})
	}
}

// The body of Get delivers the object as it was at the time of the call, whatever is written later.
func TestGetIsNotAffectedByLaterWrites(t *testing.T) {
	d := newDriver()
	put(t, d, "k", "old content")
	_, body, err := d.Get(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
	require.NoError(t, err)
	put(t, d, "k", "new")
	remove(t, d, "k", "")

	data, err := io.ReadAll(body)
	require.NoError(t, err)
	require.Equal(t, "old content", string(data))
}

// The body that Get returns is an io.ReaderAt and an io.WriterTo of the requested range.
func TestGetBodyInterfaces(t *testing.T) {
	d := newDriver()
	put(t, d, "k", "0123456789")
	_, body, err := d.Get(t.Context(), &driver.GetRequest{Key: "k", Offset: 2, Length: 6})
	require.NoError(t, err)

	section := make([]byte, 3)
	n, err := body.(io.ReaderAt).ReadAt(section, 1)
	require.NoError(t, err)
	require.Equal(t, "345", string(section[:n]))

	var buf bytes.Buffer
	_, err = body.(io.WriterTo).WriteTo(&buf)
	require.NoError(t, err)
	require.Equal(t, "234567", buf.String())
}

// A caller that changes the attributes that Put returned does not change those of the object.
func TestHeadReturnsOwnAttrs(t *testing.T) {
	d := newDriver()
	req := putRequest("k", "content")
	req.CRC32C = storage.CRC32C{Sum: 1, Known: true}
	attrs, err := d.Put(t.Context(), req)
	require.NoError(t, err)

	attrs.CRC32C.Sum = 2
	attrs.Revision = "changed"
	headAttrs, err := head(d, "k")
	require.NoError(t, err)
	require.Equal(t, uint32(1), headAttrs.CRC32C.Sum)
	require.Equal(t, "memory:1", headAttrs.Revision)
}
