package ends

import (
	"bytes"
	"context"
	"crypto/fips140"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/omnibucket/storage/internal/bodyio"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/internal/partfile"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/transfer/internal/joberror"
	"github.com/omnibucket/storage/transfer/internal/selection"
)

const (
	// reservedName is the name of a directory for a local bucket's own files, such as a signing
	// key.
	reservedName = ".omnibucket"
)

var _ End = (*Tree)(nil)

// A Tree is a directory that a job has opened. Files are opened through Root, so that no name or
// link leads outside of it.
type Tree struct {
	Root        *os.Root      // nil in a dry run, if the destination does not exist
	destination bool          // whether the directory is the destination, where links are not followed
	links       bool          // whether the walk follows links
	Recovers    bool          // whether the walk gives files their names back that a killed move has renamed
	temps       *partfile.Job // makes the temporary files of a destination; otherwise nil
	// Skipped has the directories that are not read: the other end of the job, and the directory
	// of WithResume.
	Skipped []fs.FileInfo
	Sync    bool // whether written files must be on the disk when the job ends

	mu        sync.Mutex
	changes   map[string]bool // directories that must be synced
	marks     []string        // marks: small files that belong to temporary files; found by the walk
	keepFiles map[string]bool // files whose temporary file stays for the next job

	syncing sync.Mutex // held during SyncDirs
	// unsynced is the error of a failed sync. It stays even if a later sync succeeds, because the
	// later one does not sync the same names.
	unsynced error
}

// OpenTree opens a directory whose files are only read. With links, the walk follows symbolic links.
func OpenTree(path string, links bool) (*Tree, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &Tree{Root: root, links: links}, nil
}

// CreateTree opens the directory of a destination, which it creates if necessary. With sync, written
// files are on the disk when the job ends.
func CreateTree(path string, sync bool) (*Tree, error) {
	makeAll := os.MkdirAll
	if sync {
		makeAll = localfile.MkdirAll
	}

	if err := makeAll(path, 0o777); err != nil {
		return nil, err
	}
	return OpenDestination(path, sync)
}

// OpenDestination opens the directory of a destination, which must exist.
func OpenDestination(path string, sync bool) (*Tree, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &Tree{
		Root:        root,
		destination: true,
		temps:       partfile.NewJob(root, ".", sync),
		Sync:        sync,
		changes:     map[string]bool{},
	}, nil
}

// MissingTree returns the directory of a destination in a dry run, which does not exist.
func MissingTree() *Tree { return &Tree{destination: true} }

// Close syncs the directories that have changed, and closes the root. It does nothing for a
// [MissingTree].
func (t *Tree) Close() error {
	if t.Root == nil {
		return nil
	}
	t.temps.Close()
	return errors.Join(t.SyncDirs(), t.Root.Close())
}

// Keep records an incomplete download that the next job will continue, so that Sweep does not remove
// its temporary file.
func (t *Tree) Keep(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keepFiles == nil {
		t.keepFiles = map[string]bool{}
	}
	t.keepFiles[key] = true
}

// noteMark records a mark for Sweep. A mark is a small file that belongs to a temporary
// file.
func (t *Tree) noteMark(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.marks = append(t.marks, key)
}

// Sweep removes the temporary files of dead processes, which it finds by their marks. It keeps those
// that a later job can continue, and those of other shards.
func (t *Tree) Sweep(files *selection.Selection) {
	for _, mark := range t.marks {
		partfile.Sweep(t.Root, mark, func(target string) bool {
			key := filepath.ToSlash(target)
			return t.keepFiles[key] || !files.InShard(key)
		})
	}
}

// NoteTopMarks records the marks of temporary files in the root of the tree, but not in its
// subdirectories. It is for a tree that the job does not list.
func (t *Tree) NoteTopMarks() {
	top, _ := fs.ReadDir(t.Root.FS(), ".") // after an error, the list is incomplete
	for _, entry := range top {
		if partfile.IsMark(entry.Name()) {
			t.noteMark(entry.Name())
		}
	}
}

// noteChange records that names in dir have changed. The directory is synced at the end of the job, or
// earlier if too many directories are waiting.
func (t *Tree) noteChange(dir string) error {
	if !t.Sync {
		return nil
	}

	const maxChanges = 1024 // directories
	t.mu.Lock()
	t.changes[dir] = true
	isFull := len(t.changes) > maxChanges
	t.mu.Unlock()

	if isFull {
		return t.SyncDirs()
	}
	return nil
}

// SyncDirs waits until the names of all files that were written before are on the disk. If another call
// is in progress, it waits for that one first, which may be syncing these names.
func (t *Tree) SyncDirs() error {
	t.syncing.Lock()
	defer t.syncing.Unlock()

	t.mu.Lock()
	changes := t.changes
	t.changes = map[string]bool{}
	t.mu.Unlock()

	for dir := range changes {
		err := localfile.SyncDirIn(t.Root, dir)
		// A directory that no longer exists needs no sync.
		isRemoved := errors.Is(err, fs.ErrNotExist)
		if err != nil && !isRemoved {
			t.unsynced = joberror.OfFile("sync", dir, err)
		}
	}
	return t.unsynced
}

// isReserved reports whether key is in a local bucket's own directory, or has the name of a temporary
// file.
func isReserved(key string) bool {
	for segment := range strings.SplitSeq(key, "/") {
		if strings.EqualFold(segment, reservedName) {
			return true
		}
	}
	base := path.Base(key)
	return localfile.IsTempName(base) || localfile.IsPrivateName(base)
}

// Open opens a regular file for reading. It fails, and does not block, if a pipe has replaced the file.
func (t *Tree) Open(key string) (*os.File, fs.FileInfo, error) {
	f, err := t.Root.OpenFile(key, os.O_RDONLY|localfile.Nonblocking, 0)
	if err != nil {
		return nil, nil, err
	}

	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		_ = f.Close()
		return nil, nil, localfile.ErrChanged
	}
	return f, info, nil
}

func (t *Tree) Checksum(ctx context.Context, key string) (uint32, error) {
	sum := crc32c.New()
	err := t.copyFile(ctx, key, math.MaxInt64, sum)
	return sum.Sum32(), err
}

// copyFile writes the content of a file to w, which may be a hash. It fails if the file has more than
// limit bytes.
func (t *Tree) copyFile(ctx context.Context, key string, limit int64, w io.Writer) error {
	f, info, err := t.Open(key)
	if err != nil {
		return joberror.OfFile("read", key, err)
	}
	// The file was only read, so an error does not matter.
	defer f.Close()

	if info.Size() > limit {
		return joberror.OfFile("read", key, localfile.ErrChanged)
	}
	content := localfile.NewStable(f, info)
	_, err = bodyio.Copy(w, running.Reader(ctx, content.Reader()))
	return joberror.OfFile("read", key, err)
}

// etagBytes is the size in bytes of the largest file that is compared by its ETag. Reading a larger
// file would cost more than a request for the attributes of its object.
const etagBytes = 256 << 10

// MatchesETag reports whether the ETag of an object is the MD5 of the small file src. On S3, it is an
// MD5 if the object was stored in one request, without SSE-KMS or SSE-C encryption. If MatchesETag
// returns false, the file and the object may still be equal.
func (t *Tree) MatchesETag(ctx context.Context, src Entry, etag string) bool {
	want, err := hex.DecodeString(strings.Trim(etag, `"`))
	mayBeMD5 := err == nil && len(want) == md5.Size
	if !mayBeMD5 || src.Size > etagBytes {
		return false
	}

	equal := false
	// The server has chosen MD5, which is not used for security here.
	fips140.WithoutEnforcement(func() {
		sum := md5.New()
		// If the file has grown, copyFile fails. The transfer then reports the error.
		err := t.copyFile(ctx, src.Key, src.Size, sum)
		equal = err == nil && bytes.Equal(sum.Sum(nil), want)
	})
	return equal
}
