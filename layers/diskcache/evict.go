package diskcache

import (
	"errors"
	"io/fs"
	"math"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	// A scan is due after MaxBytes/scanShare bytes were written. The scan makes room for at least
	// the same number of bytes.
	scanShare = 16
	// scanNow is a number of unscanned bytes so large that a scan is due for any MaxBytes. But it is small enough that
	// more bytes can be added without an overflow.
	scanNow = math.MaxInt64 / 2
	// tempAge is the age after which a temporary file is removed, because the process that wrote it
	// was probably killed.
	tempAge = time.Hour
	// fullPause is the shortest time between two scans while the disk is full. If other processes
	// fill the disk, each scan removes blocks without making room. Scans without a pause would soon
	// remove all blocks.
	fullPause = time.Second
)

// A keptBlock is a block file that a scan has found.
type keptBlock struct {
	name  string
	bytes int64
	used  time.Time
}

// makeRoom counts bytes that will be written, and reports whether the caller may write them. If so,
// the caller must call endWrite after the write. If this process has written much since its last
// scan, or if the disk is full, makeRoom removes the least recently used blocks. Other processes
// may do so at the same time.
func (c *Cache) makeRoom(bytes int64) bool {
	fits, isScanDue := c.beginWrite(bytes)
	if isScanDue {
		c.removeOldest(bytes)
	}
	return fits
}

// beginWrite counts bytes that will be written, unless all writes in progress together would then
// exceed MaxBytes (fits). isScanDue reports whether blocks may have to be removed.
func (c *Cache) beginWrite(bytes int64) (fits, isScanDue bool) {
	c.counting.Lock()
	defer c.counting.Unlock()
	if c.writing+bytes > c.config.MaxBytes {
		return false, false
	}
	c.writing += bytes
	c.unscanned += bytes
	return true, c.isScanDue()
}

// isScanDue reports whether blocks may have to be removed. The caller holds the lock counting.
func (c *Cache) isScanDue() bool {
	return c.full || c.unscanned > c.config.MaxBytes/scanShare
}

// startScan begins a scan if one is due. In this case, limit is how many bytes the blocks may take after the scan, so
// that there is room for writes, and isFull reports whether the disk was full.
func (c *Cache) startScan() (limit int64, isFull, isDue bool) {
	c.counting.Lock()
	defer c.counting.Unlock()
	if !c.isScanDue() {
		return 0, false, false
	}
	room := max(c.config.MaxBytes/scanShare, c.writing)
	isFull = c.full
	c.full = false
	c.unscanned = c.writing
	return c.config.MaxBytes - room, isFull, true
}

// removeOldest removes the least recently used blocks until there is room for all writes in progress,
// one of which is the caller's write of bytes. It does nothing if another goroutine has just removed
// blocks.
func (c *Cache) removeOldest(bytes int64) {
	c.scanning.Lock()
	defer c.scanning.Unlock()

	limit, isFull, isDue := c.startScan()
	if !isDue {
		return
	}

	blocks, total := c.scan()
	excess := total - limit
	if isFull {
		// The disk has less space than MaxBytes, so free at least a share of what the blocks take now, and as
		// many bytes as the caller writes.
		share := total / scanShare
		excess = max(excess, share+bytes)
	}

	slices.SortFunc(blocks, func(a, b keptBlock) int { return a.used.Compare(b.used) })
	for _, b := range blocks {
		if excess <= 0 {
			return
		}
		// Ignore the error: another process may have removed the block.
		_ = c.root.Remove(b.name)
		excess -= b.bytes
	}
}

// endWrite must be called after each write that makeRoom has permitted, with the error of the write. If
// it returns true, the disk was full, and makeRoom can be called again to remove blocks before another
// attempt.
func (c *Cache) endWrite(bytes int64, err error) (isFull bool) {
	c.counting.Lock()
	defer c.counting.Unlock()
	c.writing -= bytes
	hasNoSpace := errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
	if hasNoSpace && c.now().Sub(c.fullAt) >= fullPause {
		c.full = true
		c.fullAt = c.now()
	}
	return c.full
}

// scan returns all blocks and the sum of their bytes, and removes temporary files that killed processes
// have left.
func (c *Cache) scan() (blocks []keptBlock, total int64) {
	// Errors are ignored. If a directory cannot be read, scan leaves out its blocks.
	dirs, _ := fs.ReadDir(c.root.FS(), ".")
	for _, dir := range dirs {
		if !isBlockFolder(dir) {
			continue
		}
		files, _ := fs.ReadDir(c.root.FS(), dir.Name())
		for _, file := range files {
			info, err := file.Info()
			if err != nil || !info.Mode().IsRegular() {
				continue
			}
			name := path.Join(dir.Name(), file.Name())
			if isBlock(file.Name()) {
				blocks = append(blocks, keptBlock{name, info.Size(), info.ModTime()})
				total += info.Size()
				continue
			}
			if c.isAbandoned(info) {
				_ = c.root.Remove(name)
			}
		}
	}
	return blocks, total
}

// isAbandoned reports whether a file is a temporary one that a killed process has left.
func (c *Cache) isAbandoned(info fs.FileInfo) bool {
	return strings.HasPrefix(info.Name(), tempPrefix) && c.now().Sub(info.ModTime()) > tempAge
}
