// Package cache remembers which files were the same at both ends of a job. Open opens the cache of one job.
package cache

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/omnibucket/storage/internal/keysort"
	"github.com/omnibucket/storage/transfer/internal/ends"
)

const (
	suffix = ".same"
	// magic begins each file of a cache. The digits are the form of the file.
	magic = "omnibucket-same1"
	// memory is the memory in bytes for the digests of one job. More digests go to the disk.
	memory = 16 << 20
	// maxAge is the time after which a file of the cache is removed if no job has used it.
	maxAge = 90 * 24 * time.Hour
	// settled is the time that must have passed since a file was written, when the job begins. A file
	// system may give two writes shortly after each other the same time.
	settled = 2 * time.Second
)

// A Cache remembers pairs of files that were the same: a digest of each pair. The methods of a nil
// cache do nothing.
type Cache struct {
	path      string
	startTime time.Time // when the job began
	old       *os.File  // sorted digests of the last job; nil if there was none
	n         int       // number of digests in old

	mu     sync.Mutex
	sorter *keysort.Sorter // digests of this job; nil in a dry run
	failed bool            // whether a digest could not be kept
}

// A digest identifies a file of the source and a file of the destination, as both are.
type digest [16]byte

// Open opens the cache of a job in the directory dir. job identifies the ends and the options of the
// job. A cache that is only read does not record what this job finds.
func Open(dir, job string, startTime time.Time, readOnly bool) *Cache {
	sum := sha256.Sum256([]byte(job))
	name := hex.EncodeToString(sum[:16]) + suffix
	c := &Cache{path: filepath.Join(dir, name), startTime: startTime}
	c.openOld()
	if !readOnly {
		c.sorter = keysort.New(memory)
	}
	return c
}

// openOld opens the file of the last job, which has its digests in order after the text magic. Without
// such a file, the cache knows no files.
func (c *Cache) openOld() {
	f, err := os.Open(c.path)
	if err != nil {
		return
	}
	info, err := f.Stat()
	if err != nil || !hasMagic(f) {
		// The file was only read.
		_ = f.Close()
		return
	}

	c.old = f
	c.n = int(info.Size()-int64(len(magic))) / len(digest{}) // number of digests
}

// Has reports whether an earlier job has found that two files are the same, and neither has changed
// since. If so, it also keeps that for the next job.
func (c *Cache) Has(src, dst ends.Entry) bool {
	if c == nil || c.old == nil {
		return false
	}
	d, ok := digestOf(src, dst)
	if !ok {
		return false
	}
	if !c.isInOld(d) {
		return false
	}
	if c.sorter != nil {
		c.add(d)
	}
	return true
}

// isInOld reports whether the file of the last job has a digest. It may return false if that file cannot be
// read, so that the job compares the files again.
func (c *Cache) isInOld(want digest) bool {
	_, found := sort.Find(c.n, func(i int) int {
		got, err := c.digestAt(i)
		if err != nil {
			return 1
		}
		return bytes.Compare(want[:], got[:])
	})
	return found
}

// digestAt returns a digest of the last job.
func (c *Cache) digestAt(i int) (d digest, err error) {
	_, err = c.old.ReadAt(d[:], int64(len(magic)+i*len(d)))
	return d, err
}

// Note records that two files are the same, unless one was written shortly before the job began, or
// later: a write after the job has read the file could have the same time.
func (c *Cache) Note(src, dst ends.Entry) {
	if c == nil || c.sorter == nil {
		return
	}
	for _, file := range []ends.Entry{src, dst} {
		// A file with a revision needs no such care.
		if file.Revision == "" && c.startTime.Sub(file.Written) < settled {
			return
		}
	}
	if d, ok := digestOf(src, dst); ok {
		c.add(d)
	}
}

// add adds a digest to those of this job. If that fails, Close does not write the file.
func (c *Cache) add(d digest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// The cache keeps the digests of a job that ends early, so the context of the job does not matter.
	if err := c.sorter.Add(context.Background(), d[:], nil); err != nil {
		c.failed = true
	}
}

// Close writes the digests of this job to the file. If the job has not seen all files, Close keeps the
// digests of the last job, too. A cache that cannot be written stays as it was.
func (c *Cache) Close(hasSeenAll bool) {
	if c == nil {
		return
	}
	// A dry run collects no digests.
	if c.sorter == nil {
		c.closeOld()
		return
	}

	// A digest that cannot be read is lost, so that the next job compares its files again.
	if !hasSeenAll {
		for i := range c.n {
			if d, err := c.digestAt(i); err == nil {
				c.add(d)
			}
		}
	}

	// On Windows, an open file cannot be replaced.
	c.closeOld()
	if !c.failed {
		// Without the file, the next job compares as it does without a cache.
		_ = c.write()
		sweep(filepath.Dir(c.path))
	}
	// Its files are temporary.
	_ = c.sorter.Close()
}

// closeOld closes the file of the last job, if it is open.
func (c *Cache) closeOld() {
	if c.old != nil {
		// The file was only read.
		_ = c.old.Close()
		c.old = nil
	}
}

// write writes the digests of this job to a temporary file, which it renames to the name of the cache.
func (c *Cache) write() error {
	dir := filepath.Dir(c.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "*"+suffix+".tmp")
	if err != nil {
		return err
	}

	err = errors.Join(c.writeDigests(f), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), c.path)
	}
	if err != nil {
		// If the removal fails, sweep removes the file later.
		_ = os.Remove(f.Name())
		return err
	}
	return nil
}

// writeDigests writes the digests of this job to a file of the cache, in order and each once.
func (c *Cache) writeDigests(f *os.File) error {
	// The magic text is not buffered, so that sweep knows the file after a kill.
	if _, err := io.WriteString(f, magic); err != nil {
		return err
	}

	w := bufio.NewWriter(f)
	var last digest
	for record, err := range c.sorter.Sorted(context.Background()) {
		if err != nil {
			return err
		}
		if bytes.Equal(last[:], record.Key) {
			continue
		}
		copy(last[:], record.Key)
		if _, err := w.Write(record.Key); err != nil {
			return err
		}
	}
	return w.Flush()
}

// sweep removes files of the cache that no job has used for a long time. It looks at the beginning of a
// file, because the directory may have files of others.
func sweep(dir string) {
	entries, _ := os.ReadDir(dir) // after an error, the list is incomplete
	for _, entry := range entries {
		if !strings.Contains(entry.Name(), suffix) {
			continue
		}
		info, err := entry.Info()
		if err != nil || time.Since(info.ModTime()) <= maxAge {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		if isCache(path) {
			// If the removal fails, the next job tries it again.
			_ = os.Remove(path)
		}
	}
}

// isCache reports whether a file begins like a file of the cache.
func isCache(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return hasMagic(f)
}

// hasMagic reports whether a file begins with magic.
func hasMagic(f *os.File) bool {
	begin := make([]byte, len(magic))
	_, err := f.ReadAt(begin, 0)
	return err == nil && string(begin) == magic
}

// digestOf returns a digest of what is known about two files without reading them. It returns false if
// that does not suffice to tell one of them from a later file with the same key.
func digestOf(src, dst ends.Entry) (digest, bool) {
	text := appendText(nil, src.Key)
	for _, file := range []ends.Entry{src, dst} {
		isObject := file.Revision != ""
		if !isObject && file.Written.IsZero() {
			return digest{}, false
		}
		text = binary.AppendVarint(text, file.Size)
		text = appendText(text, file.Revision)
		if !isObject {
			text = binary.AppendVarint(text, file.Modified.UnixNano())
			text = binary.AppendVarint(text, file.Written.UnixNano())
			text = binary.AppendUvarint(text, file.Inode)
		}
	}

	// A job that copies objects also compares their attributes. An object with other attributes may have
	// the same revision, but not the same time. In an upload, the time of the new object is not known.
	if src.Revision != "" {
		text = binary.AppendVarint(text, src.Modified.UnixNano())
		if dst.Revision != "" {
			text = binary.AppendVarint(text, dst.Modified.UnixNano())
		}
	}

	// Half of the sum is enough to tell the files of one job apart.
	sum := sha256.Sum256(text)
	return digest(sum[:len(digest{})]), true
}

// appendText appends the length of a text and the text.
func appendText(b []byte, text string) []byte {
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...)
}
