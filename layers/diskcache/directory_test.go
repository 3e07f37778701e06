package diskcache

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
)

// writeHashedFiles writes n files as programs name them that address files by their content.
func writeHashedFiles(t *testing.T, dir string, n int, content func(number int) []byte) (paths []string) {
	t.Helper()
	for number := range n {
		sum := sha256.Sum256(fmt.Append(nil, number))
		name := hex.EncodeToString(sum[:])
		paths = append(paths, filepath.Join(dir, name[:2], name))
		require.NoError(t, os.MkdirAll(filepath.Dir(paths[number]), 0o700))
		require.NoError(t, os.WriteFile(paths[number], content(number), 0o600))
	}
	return paths
}

// former returns a block as former releases wrote it.
func former(number int) []byte {
	data := fmt.Appendf(nil, "block %d", number)
	return append(binary.BigEndian.AppendUint32(nil, crc32c.Sum(data)), data...)
}

// theirs returns a file of another program.
func theirs(number int) []byte {
	return fmt.Appendf(nil, "a pack of another program, number %d", number)
}

// MaxBytes removes no files of other programs, even if they look like blocks.
func TestMaxBytesKeepsFilesOfOthers(t *testing.T) {
	dir := t.TempDir()

	// Another program has 20 files, an old temporary file and an empty folder.
	paths := writeHashedFiles(t, dir, 20, theirs)
	temporary := filepath.Join(dir, "ab", "tmp-0")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "ab"), 0o700))
	require.NoError(t, os.WriteFile(temporary, nil, 0o600))
	old := time.Now().Add(-2 * tempAge)
	require.NoError(t, os.Chtimes(temporary, old, old))
	empty := filepath.Join(dir, "cd")
	require.NoError(t, os.Mkdir(empty, 0o700))

	f := newFixtureIn(t, dir, Config{MaxBytes: 10 * blockBytes}, memstore.NewDriver(memstore.Config{}))
	a := f.put(t, "a", 50*blockBytes, 0)
	f.get(t, a, 0, -1)

	require.NotEmpty(t, f.files(t))
	require.LessOrEqual(t, len(f.files(t)), 10)
	for _, path := range append(paths, temporary) {
		require.FileExists(t, path)
	}
	require.DirExists(t, empty)
}

// Open removes blocks of former releases.
func TestOpenRemovesOldBlocks(t *testing.T) {
	dir := t.TempDir()

	// Two of the files are no blocks: one of another program, and a block without content.
	const foreign, contentless = 3, 4
	paths := writeHashedFiles(t, dir, 30, func(number int) []byte {
		switch number {
		case foreign:
			return theirs(number)
		case contentless:
			return make([]byte, headerBytes)
		}
		return former(number)
	})
	newFixtureIn(t, dir, Config{}, memstore.NewDriver(memstore.Config{}))

	for number, path := range paths {
		if number == foreign || number == contentless {
			require.FileExists(t, path)
			continue
		}
		require.NoFileExists(t, path)
	}
	folders, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, folders, 3, "of the two files, and of the blocks")
}

// Open does not list the whole directory of another program, which may have a million files.
func TestOpenReadsNoForeignDirectory(t *testing.T) {
	dir := t.TempDir()
	paths := writeHashedFiles(t, dir, 300, func(number int) []byte {
		if number%2 == 0 {
			return theirs(number)
		}
		return former(number)
	})
	newFixtureIn(t, dir, Config{}, memstore.NewDriver(memstore.Config{}))
	remaining := 0
	for _, path := range paths {
		if _, err := os.Stat(path); err == nil {
			remaining++
		}
	}

	require.Greater(t, remaining, 200)
}

// Open refuses a folder of blocks without the cache's marker file.
func TestOpenNeedsMarkInFolder(t *testing.T) {
	tests := map[string]struct {
		files map[string]string // in the folder
		code  storage.Code
	}{
		"a folder that a killed process made": {
			files: map[string]string{},
			code:  "",
		},
		"a mark that a killed process began": {
			files: map[string]string{"tmp-x": "Sig"},
			code:  "",
		},
		"the mark": {
			files: map[string]string{markName: mark, "ab/x": "x"},
			code:  "",
		},
		"files without a mark": {
			files: map[string]string{"ab/x": "x"},
			code:  storage.InvalidArgument,
		},
		"the mark of another program's cache": {
			files: map[string]string{markName: "Signature: 8a477f597d28d172789f06886806bc55\n"},
			code:  storage.InvalidArgument,
		},
		"a mark that was changed": {
			files: map[string]string{markName: mark + "\n", "ab/x": "x"},
			code:  storage.InvalidArgument,
		},
		"a temporary file beside another's one": {
			files: map[string]string{"tmp-x": "", "x": ""},
			code:  storage.InvalidArgument,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			blocks := filepath.Join(dir, blocksFolder)
			require.NoError(t, os.Mkdir(blocks, 0o700))
			for name, content := range tt.files {
				require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(blocks, name)), 0o700))
				require.NoError(t, os.WriteFile(filepath.Join(blocks, name), []byte(content), 0o600))
			}

			cache, err := Open(dir, Config{})
			require.Equal(t, tt.code, storage.CodeOf(err), "%v", err)
			if err != nil {
				return
			}
			require.NoError(t, cache.Close())
			text, err := os.ReadFile(filepath.Join(blocks, markName))
			require.NoError(t, err)
			require.Equal(t, mark, string(text))
		})
	}
}

// A cache directory inside its own local bucket is refused, and so is the reverse.
func TestOpenRefusesCacheInBucket(t *testing.T) {
	tests := map[string]struct {
		bucket, cache string
		refused       bool
	}{
		"beside each other":            {bucket: "data", cache: "cache", refused: false},
		"one name begins the other":    {bucket: "data", cache: "data-cache", refused: false},
		"the cache in the bucket":      {bucket: "data", cache: "data/c", refused: true},
		"by a link":                    {bucket: "data", cache: "link/c", refused: true},
		"the bucket, by a link":        {bucket: "link", cache: "data/c", refused: true},
		"the cache is the bucket":      {bucket: "data", cache: "data", refused: true},
		"the bucket in the cache":      {bucket: "data/photos", cache: "data", refused: true},
		"the bucket deeper, by a link": {bucket: "link/a/b", cache: "data", refused: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			top := t.TempDir()
			require.NoError(t, os.Mkdir(filepath.Join(top, "data"), 0o700))
			require.NoError(t, os.Symlink("data", filepath.Join(top, "link")))
			cache, err := Open(filepath.Join(top, tt.cache), Config{})
			require.NoError(t, err)
			defer func() {
				require.NoError(t, cache.Close())
			}()
			b, err := local.Open(filepath.Join(top, tt.bucket), local.Config{Create: true},
				driver.WithLayer(cache.Layer()))
			require.NoError(t, err)
			defer func() {
				require.NoError(t, storage.Close(b))
			}()
			_, err = b.Upload(t.Context(), "a", strings.NewReader("text"))
			if !tt.refused {
				require.NoError(t, err)
				return
			}

			require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%v", err)
			_, _, err = storage.ReadAll(t.Context(), b, "a")
			require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%v", err)
		})
	}
}
