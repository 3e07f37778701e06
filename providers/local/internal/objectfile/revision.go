package objectfile

import (
	"strconv"

	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// A Tag has the ETag and the revision that callers receive, in one string: "REVISION"local:REVISION.
//
// The revision consists of the inode, the time of the write in nanoseconds and the size. A listing
// obtains all of them from the stat that it needs anyway. The revision is unique for each write,
// because a write creates a new file and sets its time (see bucketdir.Clock). If an inode is
// reused, the time differs. The revision does not contain the change time (ctime), because renaming
// or linking a file changes it. It does not contain the device, because the device's number may
// change with a reboot.
type Tag string

const revisionTag = bucketdir.Provider + ":"

// MakeTag returns the tag of a file, whose revision consists of the file's inode, time and size. The
// times of the disk must be precise enough to tell two writes apart.
func MakeTag(meta osdir.Meta) Tag {
	const maxLength = 112 // of two revisions of three numbers with 16 digits, and what is around them
	b := make([]byte, 0, maxLength)

	// The ETag is the revision in quotation marks.
	b = append(b, '"')
	b = strconv.AppendUint(b, meta.Ino, 16)
	b = append(b, '-')
	b = strconv.AppendUint(b, uint64(meta.MTime), 16)
	b = append(b, '-')
	b = strconv.AppendUint(b, uint64(meta.Size), 16)
	revision := b[1:] // without the quotation mark
	b = append(b, '"')

	// The revision itself follows, with a prefix that marks it as a local one.
	b = append(b, revisionTag...)
	return Tag(append(b, revision...))
}

// split returns the two parts of the tag: the ETag in quotes, and the revision, which is revisionTag and the same text.
func (t Tag) split() (etag, revision string) {
	n := (len(t) - len(revisionTag) + 2) / 2
	return string(t[:n]), string(t[n:])
}

// Revision returns the revision in the tag.
func (t Tag) Revision() string {
	_, revision := t.split()
	return revision
}
