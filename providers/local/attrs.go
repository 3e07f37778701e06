package local

import (
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// An attrs has the attributes of an object, as an extended attribute or a sidecar stores
// them. size and mtime are those of the file when it was written. If they
// differ now, another program has changed the file, and the checksum is not used.
type attrs struct {
	storage.Properties
	crc        storage.CRC32C
	publicRead bool
	tags       map[string]string
	retention  storage.Retention
	hold       bool
	size       int64
	mtime      int64  // Unix time in nanoseconds
	unique     string // the revision, if file times are too coarse for one
}

// newAttrs returns the attributes of a new object. stamp adds size and time.
func newAttrs(p storage.Properties, c *storage.Controls, crc storage.CRC32C) attrs {
	return attrs{
		Properties: p, crc: crc, publicRead: c.PublicRead,
		tags: maps.Clone(c.Tags), retention: c.Retention, hold: c.LegalHold,
	}
}

// The formats of encode. Only the second has tags and locks. Releases that do not know it read
// no attributes, in place of wrong ones.
const (
	attrsFormat       = 1
	attrsFormatLocked = 2
)

const (
	flagCRC = 1 << iota
	flagPublic
	flagTags
	flagGovernance // with the end of the retention
	flagCompliance // with the end of the retention
	flagHold
)

// encode returns a in a short binary form. ext4 stores some sixty bytes of attributes in the
// inode; for a larger value, every write needs one more block.
func (a *attrs) encode() []byte {
	b := make([]byte, 0, 128)
	flags := byte(0)
	if a.crc.Known {
		flags |= flagCRC
	}
	if a.publicRead {
		flags |= flagPublic
	}
	flags |= a.controlFlags()
	version := byte(attrsFormat)
	if flags >= flagTags {
		version = attrsFormatLocked
	}
	b = append(b, version, flags)
	b = binary.AppendUvarint(b, uint64(a.size))
	b = binary.LittleEndian.AppendUint64(b, uint64(a.mtime))
	if a.crc.Known {
		b = binary.LittleEndian.AppendUint32(b, a.crc.Sum)
	}
	b = a.appendControls(b)
	// Empty fields at the end are omitted.
	fields := [...]string{
		a.ContentType, a.ContentEncoding, a.ContentDisposition,
		a.ContentLanguage, a.CacheControl, a.StorageClass, a.unique,
	}
	last := len(fields)
	if len(a.Metadata) == 0 {
		for last > 0 && fields[last-1] == "" {
			last--
		}
	}
	for _, field := range fields[:last] {
		b = appendString(b, field)
	}
	return appendMap(b, a.Metadata)
}

func (a *attrs) controlFlags() (flags byte) {
	if len(a.tags) > 0 {
		flags |= flagTags
	}
	switch a.retention.Mode {
	case storage.Governance:
		flags |= flagGovernance
	case storage.Compliance:
		flags |= flagCompliance
	}
	if a.hold {
		flags |= flagHold
	}
	return flags
}

// appendControls appends the end of the retention, and the tags after their number.
func (a *attrs) appendControls(b []byte) []byte {
	if a.retention.Mode != "" {
		b = binary.AppendVarint(b, a.retention.Until.Unix())
	}
	if len(a.tags) > 0 {
		b = appendMap(binary.AppendUvarint(b, uint64(len(a.tags))), a.tags)
	}
	return b
}

func appendMap(b []byte, m map[string]string) []byte {
	names := make([]string, 0, 16) // on the stack
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		b = appendString(b, name)
		b = appendString(b, m[name])
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decodeAttrs decodes a result of encode. It returns nil for anything else.
func decodeAttrs(b []byte) *attrs {
	if len(b) < 2 || b[0] != attrsFormat && b[0] != attrsFormatLocked {
		return nil
	}
	flags, from := b[1], &decoder{rest: b[2:]}
	a := &attrs{publicRead: flags&flagPublic != 0, hold: flags&flagHold != 0}
	a.size, a.mtime = int64(from.uvarint()), int64(binary.LittleEndian.Uint64(from.cut(8)))
	if flags&flagCRC != 0 {
		a.crc = storage.CRC32C{Sum: binary.LittleEndian.Uint32(from.cut(4)), Known: true}
	}
	switch {
	case flags&flagGovernance != 0:
		a.retention.Mode = storage.Governance
	case flags&flagCompliance != 0:
		a.retention.Mode = storage.Compliance
	}
	if a.retention.Mode != "" {
		a.retention.Until = time.Unix(from.varint(), 0).UTC()
	}
	if flags&flagTags != 0 {
		for count := from.uvarint(); count > 0 && !from.failed; count-- {
			from.pair(&a.tags)
		}
	}
	for _, field := range [...]*string{
		&a.ContentType, &a.ContentEncoding, &a.ContentDisposition,
		&a.ContentLanguage, &a.CacheControl, &a.StorageClass, &a.unique,
	} {
		if len(from.rest) > 0 {
			*field = from.text()
		}
	}
	for len(from.rest) > 0 {
		from.pair(&a.Metadata)
	}
	if from.failed {
		return nil
	}
	return a
}

// A decoder cuts values off the beginning of rest. If rest is too short, it fails: then the
// value means nothing, and nothing is left.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) cut(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.fail()
		return make([]byte, min(n, 8))
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) fail() { d.rest, d.failed = nil, true }

func (d *decoder) uvarint() uint64 {
	value, n := binary.Uvarint(d.rest)
	d.skip(n)
	return value
}

func (d *decoder) varint() int64 {
	value, n := binary.Varint(d.rest)
	d.skip(n)
	return value
}

// skip skips a number of n bytes; n is 0 or less if there is none.
func (d *decoder) skip(n int) {
	if n <= 0 {
		d.fail()
		return
	}
	d.rest = d.rest[n:]
}

func (d *decoder) text() string { return string(d.cut(d.uvarint())) }

// pair adds a name and its value to m.
func (d *decoder) pair(m *map[string]string) {
	name, value := d.text(), d.text()
	if *m == nil {
		*m = make(map[string]string)
	}
	(*m)[name] = value
}

// matches reports whether a was written for the current state of the file.
func (a *attrs) matches(m osdir.Meta) bool {
	return a != nil && a.size == m.Size && a.mtime == m.MTime
}

// attrsOf returns the attributes of a file for the caller. If a is nil, another program
// made the file, and the core derives its content type from the key.
func (r *reader) attrsOf(key string, m osdir.Meta, a *attrs) *storage.Attrs {
	out := &storage.Attrs{Key: key, Size: m.Size, Modified: m.Time()}
	out.ETag, out.Revision = r.tagOf(m, a).split()
	if r.tree.keepsVersions() {
		out.Version = versionOf(m)
	}
	if a != nil {
		out.Properties = a.Properties
		out.TagCount, out.Retention, out.LegalHold = len(a.tags), a.retention, a.hold
	}
	if a.matches(m) {
		out.CRC32C = a.crc
	}
	return out
}
