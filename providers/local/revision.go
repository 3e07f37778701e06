package local

import "strconv"

// A tag is a revision in the two forms that callers get, in one string:
// "REVISION"local:REVISION.
//
// The revision is made of the inode, the time of the write in nanoseconds and
// the size, all of which a listing knows from the one stat that it needs anyway.
// It is unique for each write: every write makes a new file, and sets its time
// itself (see clock), so that an inode number that is used again comes with
// another time. The change time (ctime) is left out, because renaming and
// linking an object, as keeping versions does, moves it; the device is left out,
// because its number may change with a reboot.
type tag string

const revisionTag = provider + ":"

func makeTag(m meta) tag {
	b := make([]byte, 0, 112)
	b = append(b, '"')
	b = strconv.AppendUint(b, m.ino, 16)
	b = append(b, '-')
	b = strconv.AppendUint(b, uint64(m.mtime), 16)
	b = append(b, '-')
	b = strconv.AppendUint(b, uint64(m.size), 16)
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

// tagOf is makeTag, but for disks whose times are too coarse for it: there each
// write draws a revision, which is kept with the attributes, and a listing has
// to read them.
func (s *store) tagOf(m meta, a *attrs) tag {
	if s.coarse.Load() && a.describes(m) && a.unique != "" {
		return tag(`"` + a.unique + `"` + revisionTag + a.unique)
	}
	return makeTag(m)
}
