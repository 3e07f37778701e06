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

// writeHashedFiles writes n files, each in a folder with a name of two digits. The names of the
// files are SHA-256 sums, like those of the cache's blocks. Other programs use such names, too.
func writeHashedFiles(t *testing.T, dir string, n int, content func(number int) []byte) (paths []string) {
	t.Helper()
	for number := range n {
		sum := sha256.Sum256(fmt.Append(nil, number))
		name := hex.EncodeToString(sum[:])
		path := filepath.Join(dir, name[:2], name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, content(number), 0o600))
		paths = append(paths, path)
	}
	return paths
}

// formerBlock returns a block as former releases wrote it: the checksum, then the bytes.
func formerBlock(number int) []byte {
	data := fmt.Appendf(nil, "block %d", number)
	return append(binary.BigEndian.AppendUint32(nil, crc32c.Sum(data)), data...)
}

// foreignFile returns a file of another program.
func foreignFile(number int) []byte {
	return fmt.Appendf(nil, "a pack of another program, number %d", number)
}

// MaxBytes never removes files of other programs, even if they look like blocks.
func TestMaxBytesKeepsFilesOfOthers(t *testing.T) {
	dir := t.TempDir()

	// Another program has 20 files, an old temporary file and an empty folder.
	const files = 20
	paths := writeHashedFiles(t, dir, files, foreignFile)
	temporary := filepath.Join(dir, "ab", "tmp-0")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "ab"), 0o700))
	require.NoError(t, os.WriteFile(temporary, nil, 0o600))
	old := time.Now().Add(-2 * tempAge)
	require.NoError(t, os.Chtimes(temporary, old, old))
	empty := filepath.Join(dir, "cd")
	require.NoError(t, os.Mkdir(empty, 0o700))

	// The cache reads an object of 50 blocks, but has room for 10.
	const maxBlocks = 10
	f := newFixtureIn(t, dir, Config{MaxBytes: maxBlocks * blockBytes}, memstore.NewDriver(memstore.Config{}))
	f.readAll(t, f.put(t, "a", content(50*blockBytes)))

	// The cache keeps to its limit, and removes only its own files.
	require.NotEmpty(t, f.files(t))
	require.LessOrEqual(t, len(f.files(t)), maxBlocks)
	for _, path := range append(paths, temporary) {
		require.FileExists(t, path)
	}
	require.DirExists(t, empty)
}

// Open removes blocks of former releases, and no other files.
func TestOpenRemovesOldBlocks(t *testing.T) {
	dir := t.TempDir()

	// Two files are not blocks of a former release. All others are.
	contents := [][]byte{foreignFile(0), make([]byte, headerBytes)}
	otherFiles := len(contents)
	for number := range 28 {
		contents = append(contents, formerBlock(number))
	}
	paths := writeHashedFiles(t, dir, len(contents), func(number int) []byte { return contents[number] })

	newFixtureIn(t, dir, Config{}, memstore.NewDriver(memstore.Config{})) // calls Open

	for _, path := range paths[:otherFiles] {
		require.FileExists(t, path)
	}
	for _, path := range paths[otherFiles:] {
		require.NoFileExists(t, path)
	}

	// Each of the other files is in a folder of its own. The folders of the removed blocks are gone.
	folders, err := os.ReadDir(dir)
	require.NoError(t, err)
	const ownFolder = 1 // of the cache's new blocks
	require.Len(t, folders, otherFiles+ownFolder)
}

// Open removes old blocks from a directory. If the directory has many files of another program, Open stops before it
// has read all of them, and leaves some old blocks there.
func TestOpenReadsNoForeignDirectory(t *testing.T) {
	dir := t.TempDir()

	// Every second file is an old block, and the others are of another program.
	const files = 300
	const oldBlocks = files / 2
	paths := writeHashedFiles(t, dir, files, func(number int) []byte {
		if number%2 == 0 {
			return foreignFile(number)
		}
		return formerBlock(number)
	})

	newFixtureIn(t, dir, Config{}, memstore.NewDriver(memstore.Config{})) // calls Open

	remaining := 0
	for _, path := range paths {
		if _, err := os.Stat(path); err == nil {
			remaining++
		}
	}

	// If Open had read all files, it would have removed all old blocks.
	const maxRemoved = oldBlocks * 2 / 3
	require.Greater(t, remaining, files-maxRemoved)
}

// Open refuses a folder of blocks that has files, but not the cache's mark.
func TestOpenNeedsMarkInFolder(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string // content by name in the folder
		want  storage.Code      // "" if Open accepts the folder
	}{
		{
			name:  "a folder that a killed process made",
			files: map[string]string{},
		},
		{
			name:  "a mark that a killed process began",
			files: map[string]string{"tmp-x": "Sig"},
		},
		{
			name:  "the mark",
			files: map[string]string{markName: mark, "ab/x": "x"},
		},
		{
			name:  "files without a mark",
			files: map[string]string{"ab/x": "x"},
			want:  storage.InvalidArgument,
		},
		{
			name:  "the mark of another program's cache",
			files: map[string]string{markName: "Signature: 8a477f597d28d172789f06886806bc55\n"},
			want:  storage.InvalidArgument,
		},
		{
			name:  "a mark that was changed",
			files: map[string]string{markName: mark + "\n", "ab/x": "x"},
			want:  storage.InvalidArgument,
		},
		{
			name:  "a temporary file beside another program's file",
			files: map[string]string{"tmp-x": "", "x": ""},
			want:  storage.InvalidArgument,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			blocks := filepath.Join(dir, blocksFolder)
			require.NoError(t, os.Mkdir(blocks, 0o700))
			for name, content := range tt.files {
				path := filepath.Join(blocks, name)
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
				require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
			}

			cache, err := Open(dir, Config{})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
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

// A local bucket refuses a cache whose directory is inside of the bucket's, and one that contains the bucket's.
func TestOpenRefusesCacheInBucket(t *testing.T) {
	// The paths are relative to a directory in which "link" is a symbolic link to "data".
	tests := []struct {
		name    string
		bucket  string
		cache   string
		refused bool
	}{
		{name: "beside each other", bucket: "data", cache: "cache", refused: false},
		{name: "one name begins the other", bucket: "data", cache: "data-cache", refused: false},
		{name: "the cache in the bucket", bucket: "data", cache: "data/c", refused: true},
		{name: "the cache in the bucket, by a link", bucket: "data", cache: "link/c", refused: true},
		{name: "the cache in a bucket opened by a link", bucket: "link", cache: "data/c", refused: true},
		{name: "the cache is the bucket", bucket: "data", cache: "data", refused: true},
		{name: "the bucket in the cache", bucket: "data/photos", cache: "data", refused: true},
		{name: "the bucket deeper in the cache, by a link", bucket: "link/a/b", cache: "data", refused: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
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

			// The first call finds out where the directories are.
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
