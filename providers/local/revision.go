package local

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// A tag is a revision in the two forms that callers get, in one string:
// "REVISION"local:REVISION.
//
// The revision consists of the inode, the time of the write in nanoseconds and the size.
// A listing gets all of them from the stat that it needs anyway. The revision is unique
// for each write: a write makes a new file and sets its time (see clock). A reused inode
// therefore has another time. The change time (ctime) is not included, because renaming or
// linking a file for a version changes it. The device is not included, because its number
// may change with a reboot.
type tag string

const revisionTag = provider + ":"

func makeTag(m osdir.Meta) tag {
	b := make([]byte, 0, 112)
	b = append(b, '"')
	b = strconv.AppendUint(b, m.Ino, 16)
	b = append(b, '-')
	b = strconv.AppendUint(b, uint64(m.MTime), 16)
	b = append(b, '-')
	b = strconv.AppendUint(b, uint64(m.Size), 16)
	revision := b[1:]
	b = append(b, '"')
	b = append(b, revisionTag...)
	return tag(append(b, revision...))
}

func (t tag) split() (etag, revision string) {
	n := (len(t) - len(revisionTag) + 2) / 2
	return string(t[:n]), string(t[n:])
}

func (t tag) revision() string {
	_, revision := t.split()
	return revision
}

// tagOf returns the tag of a file. On disks whose times are too coarse, each write has a random
// revision in its attributes, which listings must read. Otherwise the tag is that of makeTag.
func (r *reader) tagOf(m osdir.Meta, a *attrs) tag {
	if r.tree.coarse.Load() && a.matches(m) && a.unique != "" {
		return tag(`"` + a.unique + `"` + revisionTag + a.unique)
	}
	return makeTag(m)
}

// A clock gives each write of a driver its time. Times increase by at least a microsecond,
// even if the system clock stops or goes back: the time is a part of the revision. Two drivers need no common clock.
// An inode is reused only after its file is removed, some microseconds after the time of that file.
type clock struct {
	now  func() time.Time
	last atomic.Int64 // Unix time in nanoseconds
}

func (c *clock) next() time.Time {
	for {
		last := c.last.Load()
		next := c.now().UnixNano()
		if last != 0 {
			next = max(next, last+int64(time.Microsecond))
		}
		if c.last.CompareAndSwap(last, next) {
			return time.Unix(0, next)
		}
	}
}

// advance makes the next time later than at.
func (c *clock) advance(at int64) {
	for {
		last := c.last.Load()
		if last >= at || c.last.CompareAndSwap(last, at) {
			return
		}
	}
}
