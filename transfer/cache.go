package transfer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/omnibucket/storage/internal/keysort"
	"github.com/omnibucket/storage/internal/localfile"
)

const (
	cacheSuffix = ".same"
	// cacheMagic begins each file of a cache. The digits are the form of the file.
	cacheMagic = "omnibucket-same1"
	// cacheMemory is the memory in bytes for the digests of one job. More digests go to the disk.
	cacheMemory = 16 << 20
	// cacheAge is the time after which a file of the cache is removed if no job has used it.
	cacheAge = 90 * 24 * time.Hour
	// settled is the time that must have passed since a file was written, when the job begins. A file
	// system may give two writes shortly after each other the same time.
	settled = 2 * time.Second
)

// WithCache remembers in the directory dir which files were the same at both ends. A repeated job
// between the same ends, with the same options, then asks the store only about files that have
// changed at one end. Without a cache, the job asks about each file whose times do not tell
// ([Sync]).
//
// A file counts as the same only if both ends are as they were. For a file of a directory, that is
// its size, its modification time, its inode, and the time of its last change, which no program can
// set back (ctime). For an object, it is the size and the revision in the listing. So an upload with
// a cache also notices that a file was replaced by an older one of the same size, and asks about it.
//
// The directory is created if necessary. Several jobs may use one directory, at the same time, too.
// It has one file for each pair of ends, with 16 bytes for each file of the job. A file that no job
// has used for 90 days is removed. If the cache cannot be read or written, or was removed, the job compares
// as it does without one.
//
// A job has no cache with [WithChecksum], [WithSizeOnly], [WithMissingOnly], [WithMove] or
// [WithInventory], and [Compare] never has one. A job between two directories needs none. There is
// also none on systems that do not report the time of the last change, such as Windows, and for
// buckets of types that are not from this library. If dir is the source or destination itself, the
// job fails with InvalidArgument. If dir lies below one of them, the job skips it.
func WithCache(dir string) Option {
	return checked(dir != "", "WithCache", "must name a directory", func(s *settings) {
		s.cacheDir = dir
	})
}

// A cache remembers pairs of files that were the same: a digest of each pair. The methods of a nil
// cache do nothing.
type cache struct {
	path  string
	began time.Time // when the job began
	old   *os.File  // sorted digests of the last job; nil if there was none
	n     int       // number of digests in old

	mu     sync.Mutex
	sorter *keysort.Sorter // digests of this job; nil in a dry run
	failed bool            // whether a digest could not be kept
}

// A digest identifies a file of the source and a file of the destination, as both are.
type digest [16]byte

// openCache opens the cache of the job, or returns nil if the job needs none.
func openCache(s *settings, dst, src End) *cache {
	between := src.kind == dirEnd && dst.kind == dirEnd
	if s.cacheDir == "" || between || s.checksum || s.sizeOnly || s.missingOnly || s.inventory != nil {
		return nil
	}
	from, to := src.name(), dst.name()
	if from == "" || to == "" {
		return nil
	}
	// A rule changes what a copy compares.
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s rule %t", from, to, s.job(), s.rule != nil))
	c := &cache{path: filepath.Join(s.cacheDir, hex.EncodeToString(sum[:16])+cacheSuffix), began: s.now()}
	c.openOld()
	if !s.dryRun {
		c.sorter = keysort.New(cacheMemory)
	}
	return c
}

func (c *cache) openOld() {
	f, err := os.Open(c.path)
	if err != nil {
		return
	}
	info, err := f.Stat()
	if err != nil || !hasMagic(f) {
		_ = f.Close() // the file was only read
		return
	}
	c.old = f
	c.n = int(info.Size()-int64(len(cacheMagic))) / len(digest{})
}

// has reports whether an earlier job has found that these two files are the same, and neither has
// changed since. If so, the next job finds it, too.
func (c *cache) has(src, dst entry) bool {
	if c == nil || c.old == nil {
		return false
	}
	want, ok := digestOf(src, dst)
	if !ok {
		return false
	}
	_, found := sort.Find(c.n, func(i int) int {
		at, err := c.at(i)
		if err != nil {
			return 1 // then nothing is found, because the last comparison is not 0
		}
		return bytes.Compare(want[:], at[:])
	})
	if found && c.sorter != nil {
		c.add(want)
	}
	return found
}

// at returns a digest of the last job.
func (c *cache) at(i int) (d digest, err error) {
	_, err = c.old.ReadAt(d[:], int64(len(cacheMagic)+i*len(d)))
	return d, err
}

// note records that two files are the same. It does not record a file that was written shortly before
// the job began, or later: a write after the job has read the file could have the same time.
func (c *cache) note(src, dst entry) {
	if c == nil || c.sorter == nil {
		return
	}
	for _, e := range []entry{src, dst} {
		if e.revision == "" && c.began.Sub(e.written) < settled {
			return
		}
	}
	if d, ok := digestOf(src, dst); ok {
		c.add(d)
	}
}

func (c *cache) add(d digest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.sorter.Add(context.Background(), d[:], nil)
	c.failed = c.failed || err != nil
}

// close writes the digests of this job to the file. If the job has ended early, the digests of the
// last job stay, too. A cache that cannot be written stays as it was.
func (c *cache) close(complete bool) {
	if c == nil {
		return
	}
	if c.sorter != nil {
		if !complete {
			for i := range c.n {
				if d, err := c.at(i); err == nil {
					c.add(d)
				}
			}
		}
		c.closeOld() // on Windows, an open file cannot be replaced
		if !c.failed {
			_ = c.write() // without the file, the next job compares as it does without a cache
			sweepCache(filepath.Dir(c.path))
		}
		_ = c.sorter.Close() // its files are temporary
	}
	c.closeOld()
}

func (c *cache) closeOld() {
	if c.old != nil {
		_ = c.old.Close() // the file was only read
		c.old = nil
	}
}

func (c *cache) write() (err error) {
	dir := filepath.Dir(c.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "*"+cacheSuffix+".tmp")
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, cacheMagic) // unbuffered, so that sweepCache knows the file after a kill
	w := bufio.NewWriter(f)
	var last digest
	for r, failed := range c.sorter.Sorted(context.Background()) {
		err = errors.Join(err, failed)
		if err != nil {
			break
		}
		if string(last[:]) != string(r.Key) {
			_, err = w.Write(r.Key)
		}
		copy(last[:], r.Key)
	}
	err = errors.Join(err, w.Flush(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), c.path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // sweepCache removes it later
	}
	return err
}

// sweepCache removes files of the cache that no job has used for a long time. The directory may have
// files of others, so a file must have the beginning of ours.
func sweepCache(dir string) {
	files, _ := os.ReadDir(dir) // after an error, the list is incomplete
	for _, f := range files {
		path := filepath.Join(dir, f.Name())
		info, err := f.Info()
		if err == nil && strings.Contains(f.Name(), cacheSuffix) && time.Since(info.ModTime()) > cacheAge && isCache(path) {
			_ = os.Remove(path) // the next job tries it again
		}
	}
}

// isCache reports whether a file begins as a file of the cache.
func isCache(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return hasMagic(f)
}

func hasMagic(f *os.File) bool {
	magic := make([]byte, len(cacheMagic))
	_, err := f.ReadAt(magic, 0)
	return err == nil && string(magic) == cacheMagic
}

// digestOf returns the digest of two files. It returns false if one of them cannot be told from a
// later file with the same key.
func digestOf(src, dst entry) (digest, bool) {
	var b []byte
	text := func(s string) {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	text(src.key)
	for _, e := range []entry{src, dst} {
		if e.revision == "" && e.written.IsZero() {
			return digest{}, false
		}
		b = binary.AppendVarint(b, e.size)
		text(e.revision)
		if e.revision == "" {
			b = binary.AppendVarint(b, e.modified.UnixNano())
			b = binary.AppendVarint(b, e.written.UnixNano())
			b = binary.AppendUvarint(b, e.inode)
		}
	}
	// Attributes of a source are compared, too. A store may give an object with other attributes the
	// same revision, but not the same time. The time of an object that was just uploaded is not known.
	if src.revision != "" {
		b = binary.AppendVarint(b, src.modified.UnixNano())
		if dst.revision != "" {
			b = binary.AppendVarint(b, dst.modified.UnixNano())
		}
	}
	sum := sha256.Sum256(b)
	return digest(sum[:16]), true
}

// fileEntry returns the entry of a regular file.
func fileEntry(key string, info fs.FileInfo) entry {
	return entry{
		key:      key,
		size:     info.Size(),
		modified: info.ModTime(),
		written:  localfile.Written(info),
		inode:    localfile.Inode(info),
	}
}
