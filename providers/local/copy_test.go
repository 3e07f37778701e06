package local

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/stretchr/testify/require"
)

func TestCopy(t *testing.T) {
	for _, disk := range disks {
		t.Run(disk.name, func(t *testing.T) {
			s := open(t, disk.tweaks...)
			source := s.put("from", "bytes")
			ref := s.driver.Locate("from")
			ref.Revision = source.Revision

			a, err := s.driver.Copy(t.Context(), &driver.CopyRequest{
				Source:     ref,
				Key:        "to/key",
				Properties: storage.Properties{ContentType: "a/b"},
			})
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
			_, err = s.driver.Copy(t.Context(),
				&driver.CopyRequest{Source: s.driver.Locate("none"), Key: "x"})
			require.ErrorIs(t, err, storage.ObjectNotFound)

			_, err = s.driver.Copy(t.Context(), &driver.CopyRequest{
				Source:    s.driver.Locate("from"),
				Key:       "from",
				Condition: storage.Condition{Absent: true},
			})
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
	_, err := buckets[1].driver.Copy(t.Context(),
		&driver.CopyRequest{Source: buckets[0].driver.Locate("k"), Key: "copy"})
	require.NoError(t, err)
	require.Equal(t, "x", buckets[1].get("copy"))

	elsewhere := open(t)
	elsewhere.put("k", "x")
	_, err = buckets[1].driver.Copy(t.Context(),
		&driver.CopyRequest{Source: elsewhere.driver.Locate("k"), Key: "copy"})
	require.ErrorIs(t, err, storage.Unsupported)
	_, err = buckets[1].driver.Copy(t.Context(), &driver.CopyRequest{
		Source: driver.ObjectRef{Account: account{parent}, Bucket: "../one", Key: "k"},
		Key:    "copy",
	})
	require.Error(t, err)
}

func TestCopyOfAVersionRestoresIt(t *testing.T) {
	s := open(t, withVersions)
	old := s.put("k", "old")
	s.put("k", "new")
	ref := s.driver.Locate("k")
	ref.Version = old.Version
	ref.Revision = old.Revision

	_, err := s.driver.Copy(t.Context(), &driver.CopyRequest{Source: ref, Key: "k"})
	require.NoError(t, err)
	require.Equal(t, "old", s.get("k"))
	require.Len(t, s.history(driver.ListRequest{}), 3)
}

// putTyped puts an object as the engine does: with a content type.
func (s *subject) putTyped(key, body string) *storage.Attrs {
	s.t.Helper()
	r := request(key, body)
	r.ContentType = "text/x-test"
	a, err := s.driver.Put(s.t.Context(), r)
	require.NoError(s.t, err)
	return a
}

func TestMove(t *testing.T) {
	for _, disk := range disks {
		t.Run(disk.name, func(t *testing.T) {
			s := open(t, disk.tweaks...)
			move := func(src, dst string, c storage.Condition) (*storage.Attrs, error) {
				return s.driver.Move(t.Context(), &driver.MoveRequest{From: src, Key: dst, Condition: c})
			}
			source := s.putTyped("a/b/from", "bytes")
			if disk.name == "everything bad" { // objects have visible sidecars there
				_, err := move(source.Key, "to", storage.Condition{Absent: true})
				require.ErrorIs(t, err, storage.Unsupported)
				require.Equal(t, "bytes", s.get(source.Key))
				return
			}

			for _, key := range []string{"to", "c/d/to", "TO", "c/d", "x/c"} {
				a, err := move(source.Key, key, storage.Condition{Absent: true})
				if key == "x/c" && disk.name != disks[0].name && storage.CodeOf(err) == storage.Unsupported {
					continue // "c/d" has another name than its own
				}
				require.NoError(t, err, key)

				require.Equal(t, "bytes", s.get(key))
				require.Equal(t, a, s.head(key))
				require.Equal(t, source.Revision, a.Revision, "it is the same file")

				s.missing(source.Key)
				source = a
			}

			s.putTyped("there", "old")
			_, err := move(source.Key, "there", storage.Condition{Absent: true})
			require.ErrorIs(t, err, storage.PreconditionFailed)

			_, err = move("none", "new/x", storage.Condition{})
			require.ErrorIs(t, err, storage.ObjectNotFound)
			require.Equal(t, "bytes", s.get(source.Key))
			require.Equal(t, "old", s.get("there"))
			require.Empty(t, s.leftovers())
		})
	}
}

// If a rename would change more than the two keys, for example a link or a file with two names, Move refuses it.
// The engine then copies and removes.
func TestMoveRefused(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, s *subject){
		"a destination with an object": func(t *testing.T, s *subject) {
			s.putTyped("from", "x")
			s.put("to", "old")
		},
		"a file of another program": func(t *testing.T, s *subject) {
			s.put("to/x", "x")
			require.NoError(t, os.WriteFile(filepath.Join(s.root, "from"), []byte("x"), 0o644))
		},
		"a link": func(t *testing.T, s *subject) {
			s.putTyped("file", "x")
			require.NoError(t, os.Symlink("file", filepath.Join(s.root, "from")))
		},
		"a file with two names": func(t *testing.T, s *subject) {
			s.putTyped("from", "x")
			require.NoError(t, os.Link(filepath.Join(s.root, "from"), filepath.Join(s.root, "second")))
		},
		"a public object": func(t *testing.T, s *subject) {
			_, err := s.driver.Put(t.Context(), &driver.PutRequest{
				Key:        "from",
				Body:       strings.NewReader("x"),
				Size:       1,
				Properties: storage.Properties{ContentType: "a/b"},
				Controls:   storage.Controls{PublicRead: true},
			})
			require.NoError(t, err)
		},
		"an object whose file has the place of the new directory": func(t *testing.T, s *subject) {
			s.putTyped("from", "x")
			s.put("from/x", "x")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			prepare(t, s)
			_, err := s.driver.Move(t.Context(), &driver.MoveRequest{From: "from", Key: "to"})
			require.Equal(t, storage.Unsupported, storage.CodeOf(err), "%v", err)
			require.Equal(t, "x", s.get("from"))
		})
	}

	s := open(t, withVersions)
	s.putTyped("from", "x")
	_, err := s.driver.Move(t.Context(), &driver.MoveRequest{From: "from", Key: "to"})
	require.Equal(t, storage.Unsupported, storage.CodeOf(err), "a bucket that keeps versions: %v", err)
}

// If moves of the same keys run at the same time, none waits forever, although each takes the locks of two keys.
// Exactly one object remains.
func TestMoveConcurrently(t *testing.T) {
	s := open(t)
	other := reopen(t, s.root)
	s.putTyped("a", "x")

	var group sync.WaitGroup
	for i, keys := range [][2]string{{"a", "b"}, {"b", "a"}, {"a", "c"}, {"c", "b"}, {"b", "c"}, {"c", "a"}} {
		d := []driver.Driver{s.driver, other.driver}[i%2]
		group.Go(func() {
			for range 50 {
				_, err := d.Move(t.Context(), &driver.MoveRequest{From: keys[0], Key: keys[1]})
				require.Contains(t, []storage.Code{"", storage.ObjectNotFound, storage.Unsupported},
					storage.CodeOf(err), "%v", err)
			}
		})
	}
	group.Wait()
	page, err := s.driver.List(t.Context(), &driver.ListRequest{Limit: 10})
	require.NoError(t, err)
	require.Len(t, page.Entries, 1)
	require.Empty(t, s.leftovers())
}

func TestCompose(t *testing.T) {
	s := open(t)
	s.put("a", "one ")
	s.put("b", "two")

	a, err := s.driver.Compose(t.Context(), &driver.ComposeRequest{
		Key:     "a",
		Sources: []driver.ObjectRef{s.driver.Locate("a"), s.driver.Locate("b"), s.driver.Locate("a")},
	})
	require.NoError(t, err)
	require.Equal(t, "one twoone ", s.get("a"))
	require.Equal(t, crc32c.Sum([]byte("one twoone ")), a.CRC32C.Sum)

	_, err = s.driver.Compose(t.Context(),
		&driver.ComposeRequest{Key: "c", Sources: []driver.ObjectRef{s.driver.Locate("none")}})
	require.ErrorIs(t, err, storage.ObjectNotFound)
	s.missing("c")
}
