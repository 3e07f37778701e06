package diskcache

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	// One part in scanShare of MaxBytes is written between two scans, and a scan makes room for
	// as much.
	scanShare = 16
	// tempAge is the age at which a temporary file counts as left by a process that was killed.
	tempAge = time.Hour
	// fullPause is the pause between two scans while the disk is full: other processes may take
	// the space that a scan frees.
	fullPause = time.Second
)

// A keptBlock is a block file.
type keptBlock struct {
	name  string
	bytes int64
	used  time.Time
}

// makeRoom counts bytes that will be written, and reports whether they may be; if so, written
// follows. If this process has written much since its last scan, or the disk is full, it removes the blocks
// that were not used for the longest time. Other processes may do the same at the same time.
func (c *Cache) makeRoom(bytes int64) bool {
	fits, scanned := c.count(bytes)
	if !fits || scanned {
		return fits
	}
	c.scanning.Lock()
	defer c.scanning.Unlock()
	room, full, due := c.startScan()
	if !due {
		return true // another goroutine has scanned
	}
	blocks, total := c.scan()
	most := c.config.MaxBytes - room
	if full { // the disk has no room for so many bytes
		most = min(most, total-total/scanShare-bytes)
	}
	slices.SortFunc(blocks, func(a, b keptBlock) int { return a.used.Compare(b.used) })
	for _, b := range blocks {
		if total <= most {
			break
		}
		_ = c.root.Remove(b.name) // or another process has removed it
		total -= b.bytes
	}
	return true
}

// count counts bytes that will be written. The bytes of all writes in progress fit into MaxBytes
// together.
func (c *Cache) count(bytes int64) (fits, scanned bool) {
	c.counting.Lock()
	defer c.counting.Unlock()
	if c.writing+bytes > c.config.MaxBytes {
		return false, false
	}
	c.writing += bytes
	c.unscanned += bytes
	return true, c.unscanned <= c.config.MaxBytes/scanShare && !c.full
}

// startScan returns for how many bytes a scan is to make room, and whether the disk was full, if one is due.
func (c *Cache) startScan() (room int64, full, due bool) {
	c.counting.Lock()
	defer c.counting.Unlock()
	share := c.config.MaxBytes / scanShare
	if c.unscanned <= share && !c.full {
		return 0, false, false
	}
	full, c.full = c.full, false
	c.unscanned = c.writing
	return max(share, c.writing), full, true
}

// written ends a write that makeRoom has permitted, and whose error is err. It reports whether others can make room.
func (c *Cache) written(bytes int64, err error) bool {
	c.counting.Lock()
	defer c.counting.Unlock()
	c.writing -= bytes
	if (errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)) && c.now().Sub(c.fullAt) >= fullPause {
		c.full, c.fullAt = true, c.now()
	}
	return c.full
}

// scan returns all blocks and their bytes, and removes temporary files that were left.
func (c *Cache) scan() (blocks []keptBlock, total int64) {
	dirs, _ := fs.ReadDir(c.root.FS(), ".") // a file that cannot be read is not a block
	for _, dir := range dirs {
		if !dir.IsDir() || len(dir.Name()) != 2 {
			continue
		}
		files, _ := fs.ReadDir(c.root.FS(), dir.Name())
		for _, file := range files {
			info, err := file.Info()
			if err != nil || !info.Mode().IsRegular() {
				continue
			}
			name := path.Join(dir.Name(), file.Name())
			switch {
			case isBlock(file.Name()):
				blocks = append(blocks, keptBlock{name, info.Size(), info.ModTime()})
				total += info.Size()
			case strings.HasPrefix(file.Name(), tempPrefix) && c.now().Sub(info.ModTime()) > tempAge:
				_ = c.root.Remove(name)
			}
		}
	}
	return blocks, total
}
