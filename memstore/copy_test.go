package memstore_test

import (
	"hash/crc32"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
)

// A copy keeps the properties of its source.
func TestCopyKeepsProperties(t *testing.T) {
	d := newDriver()
	crc := storage.CRC32C{Sum: 7, Known: true}
	req := putRequest("a", "content")
	req.CRC32C = crc
	req.Properties = storage.Properties{ContentType: "text/plain", Metadata: map[string]string{"x": "y"}}
	source, err := d.Put(t.Context(), req)
	require.NoError(t, err)

	attrs, err := d.Copy(t.Context(), &driver.CopyRequest{Source: d.Locate("a"), Key: "b"})
	require.NoError(t, err)
	require.Equal(t, source.Properties, attrs.Properties)
	require.Equal(t, crc.Sum, attrs.CRC32C.Sum)
	require.NotEqual(t, source.Revision, attrs.Revision)
	require.Equal(t, "content", get(t, d, "b", ""))

	// With Replace, the copy has the properties of the request.
	replaced, err := d.Copy(t.Context(), &driver.CopyRequest{
		Source:     d.Locate("a"),
		Key:        "b",
		Replace:    true,
		Properties: storage.Properties{ContentType: "text/html"},
	})
	require.NoError(t, err)
	require.Equal(t, storage.Properties{ContentType: "text/html"}, replaced.Properties)
}

// An object is copied between buckets of an account.
func TestCopyBetweenBuckets(t *testing.T) {
	s := memstore.NewServiceDriver(memstore.ServiceConfig{})
	src := createBucket(t, s, "from")
	dst := createBucket(t, s, "to")
	put(t, src, "a", "content")
	_, err := dst.Copy(t.Context(), &driver.CopyRequest{Source: src.Locate("a"), Key: "b"})
	require.NoError(t, err)

	require.Equal(t, "content", get(t, dst, "b", ""))
	require.Equal(t, src.Locate("a").Account, dst.Locate("a").Account)

	_, err = newDriver().Copy(t.Context(), &driver.CopyRequest{Source: src.Locate("a"), Key: "b"})
	require.ErrorIs(t, err, storage.Unsupported, "another account")
	require.NotEqual(t, src.Locate("a").Account, newDriver().Locate("a").Account)
}

// A copy of a changed or missing source fails.
func TestCopySourceChangedOrMissing(t *testing.T) {
	tests := map[string]struct {
		source driver.ObjectRef
		want   error
	}{
		"gone": {source: driver.ObjectRef{Bucket: "memory", Key: "none"}, want: storage.ObjectNotFound},
		"removed after a stat": {
			source: driver.ObjectRef{Bucket: "memory", Key: "none", Revision: "memory:1"},
			want:   storage.Changed,
		},
		"changed after a stat": {
			source: driver.ObjectRef{Bucket: "memory", Key: "a", Revision: "memory:9"},
			want:   storage.Changed,
		},
		"a missing bucket": {
			source: driver.ObjectRef{Bucket: "other", Key: "a"},
			want:   storage.BucketNotFound,
		},
		"a missing version": {
			source: driver.ObjectRef{Bucket: "memory", Key: "a", Version: "memory:9"},
			want:   storage.ObjectNotFound,
		},
		"a malformed version": {
			source: driver.ObjectRef{Bucket: "memory", Key: "a", Version: "x"},
			want:   storage.InvalidArgument,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDriver()
			put(t, d, "a", "content")
			tt.source.Account = d.Locate("").Account
			_, err := d.Copy(t.Context(), &driver.CopyRequest{Source: tt.source, Key: "b"})
			require.ErrorIs(t, err, tt.want)
			if tt.source.Bucket == "memory" { // Compose reads only objects of its own bucket
				_, err = d.Compose(t.Context(),
					&driver.ComposeRequest{Sources: []driver.ObjectRef{tt.source}, Key: "b"})
				require.ErrorIs(t, err, tt.want)
			}
			require.Equal(t, []string{"a"}, listKeys(t, d), "nothing was stored")
		})
	}
}

// Copy checks the condition on its destination.
func TestCopyChecksConditionOnDestination(t *testing.T) {
	d := newDriver()
	put(t, d, "a", "new")
	old := put(t, d, "b", "old")

	_, err := d.Copy(t.Context(),
		&driver.CopyRequest{Source: d.Locate("a"), Key: "b", Condition: storage.Condition{Absent: true}})
	require.ErrorIs(t, err, storage.PreconditionFailed)
	require.Equal(t, "old", get(t, d, "b", ""))

	_, err = d.Copy(t.Context(), &driver.CopyRequest{
		Source:    d.Locate("a"),
		Key:       "b",
		Condition: storage.Condition{Revision: old.Revision},
	})
	require.NoError(t, err)
	require.Equal(t, "new", get(t, d, "b", ""))
}

// Compose joins its sources in their order, if its condition holds. A source may be the destination.
func TestComposeJoinsInOrder(t *testing.T) {
	d := newDriver()
	put(t, d, "a", "hello, ")
	put(t, d, "b", "world")
	attrs, err := d.Compose(t.Context(), &driver.ComposeRequest{
		Key:        "a",
		Sources:    []driver.ObjectRef{d.Locate("a"), d.Locate("b"), d.Locate("b")},
		Properties: storage.Properties{ContentType: "text/plain"},
	})
	require.NoError(t, err)

	require.Equal(t, "hello, worldworld", get(t, d, "a", ""))
	require.Equal(t, "text/plain", attrs.ContentType)
	require.Equal(t, crc32.Checksum([]byte("hello, worldworld"), crc32.MakeTable(crc32.Castagnoli)),
		attrs.CRC32C.Sum)

	_, err = d.Compose(t.Context(), &driver.ComposeRequest{
		Key:       "a",
		Sources:   []driver.ObjectRef{d.Locate("b")},
		Condition: storage.Condition{Absent: true},
	})
	require.ErrorIs(t, err, storage.PreconditionFailed)
}
