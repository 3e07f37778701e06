package local

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
)

func TestCopy(t *testing.T) {
	for _, disk := range disks {
		t.Run(disk.name, func(t *testing.T) {
			s := open(t, disk.tweaks...)
			source := s.put("from", "bytes")
			ref := s.driver.Locate("from")
			ref.Revision = source.Revision
			a, err := s.driver.Copy(t.Context(), &driver.CopyRequest{Source: ref, Key: "to/key", Properties: storage.Properties{ContentType: "a/b"}})
			require.NoError(t, err)
			require.Equal(t, "bytes", s.get("to/key"))
			require.Equal(t, a, s.head("to/key"))
			require.Equal(t, "a/b", a.ContentType)
			require.Equal(t, source.CRC32C, a.CRC32C)
			require.NotEqual(t, source.Revision, a.Revision)

			_, err = s.driver.Copy(t.Context(), &driver.CopyRequest{Source: ref, Key: "from"})
			require.NoError(t, err, "onto itself")
			_, err = s.driver.Copy(t.Context(), &driver.CopyRequest{Source: ref, Key: "x"})
			require.ErrorIs(t, err, storage.Changed)
			_, err = s.driver.Copy(t.Context(), &driver.CopyRequest{Source: s.driver.Locate("none"), Key: "x"})
			require.ErrorIs(t, err, storage.ObjectNotFound)
			_, err = s.driver.Copy(t.Context(), &driver.CopyRequest{Source: s.driver.Locate("from"), Key: "from", Condition: storage.Condition{Absent: true}})
			require.ErrorIs(t, err, storage.PreconditionFailed)
			require.Empty(t, s.leftovers())
		})
	}
}

func TestCopyBetweenBucketsOfOneParent(t *testing.T) {
	parent := t.TempDir()
	buckets := make([]*subject, 2)
	for i, name := range []string{"one", "two"} {
		d, err := NewDriver(filepath.Join(parent, name), Config{Create: true, NoSync: true})
		require.NoError(t, err)
		require.NoError(t, d.Close())
		buckets[i] = reopen(t, filepath.Join(parent, name))
	}
	buckets[0].put("k", "x")
	require.Equal(t, buckets[0].driver.Locate("k").Account, buckets[1].driver.Locate("k").Account)
	_, err := buckets[1].driver.Copy(t.Context(), &driver.CopyRequest{Source: buckets[0].driver.Locate("k"), Key: "copy"})
	require.NoError(t, err)
	require.Equal(t, "x", buckets[1].get("copy"))

	elsewhere := open(t)
	elsewhere.put("k", "x")
	_, err = buckets[1].driver.Copy(t.Context(), &driver.CopyRequest{Source: elsewhere.driver.Locate("k"), Key: "copy"})
	require.ErrorIs(t, err, storage.Unsupported)
	_, err = buckets[1].driver.Copy(t.Context(), &driver.CopyRequest{Source: driver.ObjectRef{Account: account{parent}, Bucket: "../one", Key: "k"}, Key: "copy"})
	require.Error(t, err)
}

func TestCopyOfAVersionRestoresIt(t *testing.T) {
	s := open(t, withVersions)
	old := s.put("k", "old")
	s.put("k", "new")
	ref := s.driver.Locate("k")
	ref.Version, ref.Revision = old.Version, old.Revision
	_, err := s.driver.Copy(t.Context(), &driver.CopyRequest{Source: ref, Key: "k"})
	require.NoError(t, err)
	require.Equal(t, "old", s.get("k"))
	require.Len(t, s.history(driver.ListRequest{}), 3)
}

func TestCompose(t *testing.T) {
	s := open(t)
	s.put("a", "one ")
	s.put("b", "two")
	a, err := s.driver.Compose(t.Context(), &driver.ComposeRequest{Key: "a", Sources: []driver.ObjectRef{s.driver.Locate("a"), s.driver.Locate("b"), s.driver.Locate("a")}})
	require.NoError(t, err)
	require.Equal(t, "one twoone ", s.get("a"))
	require.Equal(t, crc32c.Sum([]byte("one twoone ")), a.CRC32C.Sum)
	_, err = s.driver.Compose(t.Context(), &driver.ComposeRequest{Key: "c", Sources: []driver.ObjectRef{s.driver.Locate("none")}})
	require.ErrorIs(t, err, storage.ObjectNotFound)
	s.missing("c")
}
