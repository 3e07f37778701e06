package certmagic

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"

	"github.com/caddyserver/certmagic"
	"github.com/stretchr/testify/require"
)

// result is what a call returned, without times.
type result struct {
	value   string
	keys    []string
	found   bool
	missing bool // the error is fs.ErrNotExist
}

// calls are the calls of a storage. Their results are equal for the same sequence of calls.
var calls = map[string]func(t *testing.T, s certmagic.Storage, key string, number int) result{
	"Store": func(t *testing.T, s certmagic.Storage, key string, number int) result {
		require.NoError(t, s.Store(t.Context(), path.Join(key, "file"), fmt.Append(nil, number)))
		return result{}
	},
	"Load": func(t *testing.T, s certmagic.Storage, key string, _ int) result {
		value, err := s.Load(t.Context(), path.Join(key, "file"))
		return result{value: string(value), missing: errors.Is(err, fs.ErrNotExist)}
	},
	"Delete": func(t *testing.T, s certmagic.Storage, key string, _ int) result {
		require.NoError(t, s.Delete(t.Context(), key))
		return result{}
	},
	"Exists": func(t *testing.T, s certmagic.Storage, key string, _ int) result {
		return result{found: s.Exists(t.Context(), key)}
	},
	"List": func(t *testing.T, s certmagic.Storage, key string, _ int) result {
		keys, err := s.List(t.Context(), key, false)
		slices.Sort(keys)
		return result{keys: keys, missing: errors.Is(err, fs.ErrNotExist)}
	},
	"List all": func(t *testing.T, s certmagic.Storage, key string, _ int) result {
		keys, err := s.List(t.Context(), key, true)
		slices.Sort(keys)
		return result{keys: keys, missing: errors.Is(err, fs.ErrNotExist)}
	},
	"Stat": func(t *testing.T, s certmagic.Storage, key string, _ int) result {
		info, err := s.Stat(t.Context(), key)
		if !info.IsTerminal {
			info.Size = 0 // a directory of a disk has one
		}
		return result{
			value:   fmt.Sprint(info.Key, info.Size, info.IsTerminal),
			missing: errors.Is(err, fs.ErrNotExist),
		}
	},
}

// Random calls have the same results with this adapter as with CertMagic's FileStorage, apart from empty folders.
func TestFileStorageDoesTheSame(t *testing.T) {
	const callCount = 600
	// calls has a function for each method of a storage. The names are sorted, so that each run makes the same calls.
	names := slices.Sorted(maps.Keys(calls))
	folders := []string{"a", "a-b", "a/c", "a/c/e", "d", "d.x"}
	for store, open := range stores {
		t.Run(store, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			ours := newStorage(t, open(t))
			theirs := &certmagic.FileStorage{Path: t.TempDir()}
			notFound := 0

			for number := range callCount {
				name := names[random.IntN(len(names))]
				key := folders[random.IntN(len(folders))]
				// The calls of Store and Load always name a file. Other calls do so only sometimes.
				isFile := random.IntN(3) == 0
				if isFile && name != "Store" && name != "Load" {
					key += "/file"
				}

				want := calls[name](t, theirs, key, number)
				// A bucket has no empty folders.
				removeEmpty(t, theirs.Path)
				got := calls[name](t, ours, key, number)
				require.Equal(t, want, got, "%d: %s(%q)", number, name, key)
				if want.missing {
					notFound++
				}
			}
			require.Greater(t, notFound, 20, "the calls must also ask for what is missing")
		})
	}
}

// removeEmpty removes the folders of a directory in which there is no file.
func removeEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		if entry.IsDir() {
			below := filepath.Join(dir, entry.Name())
			removeEmpty(t, below)
			_ = os.Remove(below) // fails if it is not empty
		}
	}
}

// List of the empty key lists the whole storage, which may be empty.
func TestListRoot(t *testing.T) {
	s := newStorage(t, stores["memory"](t))
	keys, err := s.List(t.Context(), "", true)
	require.NoError(t, err)
	require.Empty(t, keys)

	require.NoError(t, s.Store(t.Context(), "acme/users/a.json", nil))
	keys, err = s.List(t.Context(), "", false)
	require.NoError(t, err)
	require.Equal(t, []string{"acme"}, keys)

	keys, err = s.List(t.Context(), "", true)
	require.NoError(t, err)
	require.Equal(t, []string{"acme", "acme/users", "acme/users/a.json"}, keys)
}

// Delete refuses the empty key, which would remove everything.
func TestDeleteRoot(t *testing.T) {
	s := newStorage(t, stores["memory"](t))
	require.NoError(t, s.Store(t.Context(), "acme/users/a.json", nil))
	require.ErrorIs(t, s.Delete(t.Context(), ""), fs.ErrInvalid)
	require.True(t, s.Exists(t.Context(), "acme"))
}

// If a key is both a value and a folder, List returns it once.
func TestListKeyThatIsValueAndFolder(t *testing.T) {
	s := newStorage(t, stores["memory"](t))
	for _, key := range []string{"a", "a-b", "a/b", "a/b/c"} {
		require.NoError(t, s.Store(t.Context(), key, []byte(key)))
	}

	keys, err := s.List(t.Context(), "", true)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "a-b", "a/b", "a/b/c"}, keys)

	keys, err = s.List(t.Context(), "", false)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "a-b"}, keys)
}
