package memstore_test

import (
	"hash/crc32"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
)

// Copy keeps the properties and the checksum of the source.
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
}

// Copy with Replace sets the properties of the request, and keeps none of the source.
func TestCopyReplacesProperties(t *testing.T) {
	d := newDriver()
	req := putRequest("a", "content")
	req.Properties = storage.Properties{ContentType: "text/plain", Metadata: map[string]string{"x": "y"}}
	_, err := d.Put(t.Context(), req)
	require.NoError(t, err)

	replaced, err := d.Copy(t.Context(), &driver.CopyRequest{
		Source:     d.Locate("a"),
		Key:        "b",
		Replace:    true,
		Properties: storage.Properties{ContentType: "text/html"},
	})
	require.NoError(t, err)
	require.Equal(t, storage.Properties{ContentType: "text/html"}, replaced.Properties)
}

// Copy copies between buckets of one account.
func TestCopyBetweenBuckets(t *testing.T) {
	s := memstore.NewServiceDriver(memstore.ServiceConfig{})
	src := createBucket(t, s, "from")
	dst := createBucket(t, s, "to")
	put(t, src, "a", "content")
	require.Equal(t, src.Locate("a").Account, dst.Locate("a").Account)

	_, err := dst.Copy(t.Context(), &driver.CopyRequest{Source: src.Locate("a"), Key: "b"})
	require.NoError(t, err)
	require.Equal(t, "content", get(t, dst, "b", ""))
}

// Copy fails with Unsupported if the source is in another account.
func TestCopyBetweenAccounts(t *testing.T) {
	src := newDriver()
	dst := newDriver()
	put(t, src, "a", "content")
	require.NotEqual(t, src.Locate("a").Account, dst.Locate("a").Account)

	_, err := dst.Copy(t.Context(), &driver.CopyRequest{Source: src.Locate("a"), Key: "b"})
	require.ErrorIs(t, err, storage.Unsupported)
}

// Copy and Compose fail if a source was changed, or does not exist, and store nothing.
func TestCopySourceChangedOrMissing(t *testing.T) {
	// The object a has the revision memory:1.
	tests := map[string]struct {
		source driver.ObjectRef
		want   error
	}{
		"a missing object": {source: driver.ObjectRef{Bucket: "memory", Key: "none"}, want: storage.ObjectNotFound},
		"a revision of a removed object": {
			source: driver.ObjectRef{Bucket: "memory", Key: "none", Revision: "memory:1"},
			want:   storage.Changed,
		},
		"a revision of a changed object": {
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

			// Compose reads only objects of its own bucket.
			if tt.source.Bucket == "memory" {
				_, err = d.Compose(t.Context(),
					&driver.ComposeRequest{Sources: []driver.ObjectRef{tt.source}, Key: "b"})
				require.ErrorIs(t, err, tt.want)
			}
			require.Equal(t, []string{"a"}, listKeys(t, d))
		})
	}
}

// The condition of Copy applies to the destination.
func TestCopyChecksConditionOnDestination(t *testing.T) {
	d := newDriver()
	put(t, d, "a", "new")
	old := put(t, d, "b", "old")

	// IfAbsent does not hold, because the destination exists.
	_, err := d.Copy(t.Context(),
		&driver.CopyRequest{Source: d.Locate("a"), Key: "b", Condition: storage.Condition{Absent: true}})
	require.ErrorIs(t, err, storage.PreconditionFailed)
	require.Equal(t, "old", get(t, d, "b", ""))

	// IfRevision with the revision of the destination holds.
	_, err = d.Copy(t.Context(), &driver.CopyRequest{
		Source:    d.Locate("a"),
		Key:       "b",
		Condition: storage.Condition{Revision: old.Revision},
	})
	require.NoError(t, err)
	require.Equal(t, "new", get(t, d, "b", ""))
}

// Compose joins its sources in their order. A source may be the destination.
func TestComposeJoinsInOrder(t *testing.T) {
	const joined = "hello, worldworld"
	d := newDriver()
	put(t, d, "a", "hello, ")
	put(t, d, "b", "world")

	attrs, err := d.Compose(t.Context(), &driver.ComposeRequest{
		Key:        "a",
		Sources:    []driver.ObjectRef{d.Locate("a"), d.Locate("b"), d.Locate("b")},
		Properties: storage.Properties{ContentType: "text/plain"},
	})
	require.NoError(t, err)
	require.Equal(t, joined, get(t, d, "a", ""))
	require.Equal(t, "text/plain", attrs.ContentType)
	checksum := crc32.Checksum([]byte(joined), crc32.MakeTable(crc32.Castagnoli))
	require.Equal(t, checksum, attrs.CRC32C.Sum)
}

// Compose fails with PreconditionFailed if its condition does not hold.
func TestComposeConditionFails(t *testing.T) {
	d := newDriver()
	put(t, d, "a", "hello, ")
	put(t, d, "b", "world")
	_, err := d.Compose(t.Context(), &driver.ComposeRequest{
		Key:       "a",
		Sources:   []driver.ObjectRef{d.Locate("b")},
		Condition: storage.Condition{Absent: true},
	})
	require.ErrorIs(t, err, storage.PreconditionFailed)
}
