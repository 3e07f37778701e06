package transfer_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local"
)

// longAgo is a modification time that no clock can mistake for new.
var longAgo = time.Date(2020, 2, 3, 4, 5, 6, 123456000, time.UTC)

// writeFiles writes files, by path, with an old modification time.
func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for path, text := range files {
		path = filepath.Join(dir, filepath.FromSlash(path))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		require.NoError(t, os.Chtimes(path, longAgo, longAgo))
	}
}

// newTree returns a directory with these files.
func newTree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	writeFiles(t, dir, files)
	return dir
}

// fingerprints returns the hashes of all regular files in dir, by path, except for
// temporary files of killed jobs.
func fingerprints(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(d.Name(), ".omnibucket-") {
			return err
		}
		data, err := os.ReadFile(path)
		sum := sha256.Sum256(data)
		rel, _ := filepath.Rel(dir, path)
		all[filepath.ToSlash(rel)] = hex.EncodeToString(sum[:])
		return err
	}))
	return all
}

// contents returns the objects of b with their content.
func contents(t *testing.T, b storage.ReadWriter) map[string]string {
	t.Helper()
	all := map[string]string{}
	for entry, err := range b.List(t.Context()) {
		require.NoError(t, err)
		data, _, err := storage.ReadAll(t.Context(), b, entry.Key)
		require.NoError(t, err)
		all[entry.Key] = string(data)
	}
	return all
}

// newLocalBucket returns an empty bucket in a new directory.
func newLocalBucket(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	b, err := local.Open(t.TempDir(), local.Config{NoSync: true}, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	return b
}

// A hostileTree has files of all kinds that can make trouble.
type hostileTree struct {
	dir     string
	good    map[string]string // fingerprints of what every store can hold
	failing int64             // files whose name no store takes
	restive []string          // files that change whenever they are read
	ignored int64             // links, pipes
	bytes   int64             // of the good ones
}

// strange are names that are valid, although some programs misinterpret them.
var strange = []string{
	"a b", "a+b", "a%2Fb", "a%b", "q?x=1", "h#x", "é", "e\u0301", "日本語", "🎉", "-rf", "--", "$(id)",
	"`id`", "it's", `say "hi"`,
	"a,b;c", "[x]", "{x}", "*", "~", ".hidden", "..x", "x..y", "&amp;", "<tag>", "CON",
	"trailing space ", " leading", "|", ":", "=", "@",
	strings.Repeat("n", 200),
}

// plantTree creates a tree of about n files with old modification times.
func plantTree(t *testing.T, n int, largest int64) *hostileTree {
	t.Helper()
	h := &hostileTree{dir: t.TempDir()}
	seed := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range n {
		dir := ""
		for range i % 5 {
			dir += strange[seed.IntN(len(strange))] + "/"
		}
		size := []int{0, 1, 100, 3000, 70_000}[seed.IntN(5)]
		h.plantFile(t, fmt.Sprintf("%s%s %d", dir, strange[i%len(strange)], i), randomText(seed, size))
	}
	// Directories and stores list these keys in different orders.
	for _, key := range []string{"o/a-b", "o/a/b", "o/a0", "o/a.b/c", "o/a!"} {
		h.plantFile(t, key, key)
	}
	if largest > 0 {
		h.plantLarge(t, "large/one.bin", largest)
	}
	h.good = fingerprints(t, h.dir)
	for _, bad := range []string{`back\slash`, "control\x01", "ends in.", "invalid \xff utf-8", "d\x7f/x"} {
		h.plantFile(t, bad, "no key")
		h.bytes -= int64(len("no key"))
		h.failing++
	}
	for i := range 3 {
		key := fmt.Sprintf("changing/%d", i)
		h.restive = append(h.restive, key)
		writeFiles(t, h.dir, map[string]string{key: "as it was"})
	}
	require.NoError(t, os.Symlink("o/a0", filepath.Join(h.dir, "link")))
	require.NoError(t, os.Symlink("/etc", filepath.Join(h.dir, "outside")))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(h.dir, "dangling")))
	makePipe(t, filepath.Join(h.dir, "pipe"))
	h.ignored = 4
	return h
}

// meddling returns an option for a bucket. The option changes each file in h.restive just before
// the bucket reads the file.
func (h *hostileTree) meddling(t *testing.T) storage.OpenOption {
	change := func(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
		if op.Name == "Upload" && slices.Contains(h.restive, op.Key) {
			appendTo(t, filepath.Join(h.dir, op.Key), "!")
		}
		return ctx, nil, nil
	}
	return storage.WithHook(change)
}

// plantFile adds a file to the tree.
func (h *hostileTree) plantFile(t *testing.T, key, text string) {
	t.Helper()
	writeFiles(t, h.dir, map[string]string{key: text})
	h.bytes += int64(len(text))
}

// plantLarge writes a large file, which is not held in memory and does not consist only of zeros.
func (h *hostileTree) plantLarge(t *testing.T, key string, size int64) {
	t.Helper()
	path := filepath.Join(h.dir, filepath.FromSlash(key))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	f, err := os.Create(path)
	require.NoError(t, err)
	block := []byte(randomText(rand.New(rand.NewPCG(2, 2)), 1<<20))
	for offset := int64(0); offset < size; {
		copy(block, fmt.Sprint(offset))
		n, err := f.Write(block[:min(int64(len(block)), size-offset)])
		require.NoError(t, err)
		offset += int64(n)
	}
	require.NoError(t, f.Close())
	require.NoError(t, os.Chtimes(path, longAgo, longAgo))
	h.bytes += size
}

// randomText returns size random bytes.
func randomText(seed *rand.Rand, size int) string {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(seed.Uint32())
	}
	return string(data)
}

// requireTimes requires that each file in dir has its original time.
func requireTimes(t *testing.T, h *hostileTree, dir string) {
	t.Helper()
	for key := range h.good {
		info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(key)))
		require.NoError(t, err)
		require.True(t, info.ModTime().Equal(longAgo), "%q is of %s", key, info.ModTime())
	}
}

// file returns a body.
func file(text string) *strings.Reader { return strings.NewReader(text) }

func randomTextOf(size int) string {
	return randomText(rand.New(rand.NewPCG(3, uint64(size))), size)
}
