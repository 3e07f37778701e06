package local

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/omnibucket/storage"
)

// An attrs has the attributes of an object, as an extended attribute or a sidecar stores
// them. size and mtime are those of the file when it was written. If they
// differ now, another program has changed the file, and the checksum is not used.
type attrs struct {
	storage.Properties
	crc        storage.CRC32C
	publicRead bool
	size       int64
	mtime      int64  // Unix time in nanoseconds
	unique     string // the revision, if file times are too coarse for one
}

const attrsFormat = 1

const (
	flagCRC = 1 << iota
	flagPublic
)

// encode returns a in a short binary form. ext4 stores some sixty bytes of attributes in
// the inode; a larger value costs every write a block.
func (a *attrs) encode() []byte {
	b := make([]byte, 0, 128)
	flags := byte(0)
	if a.crc.Known {
		flags |= flagCRC
	}
	if a.publicRead {
		flags |= flagPublic
	}
	b = append(b, attrsFormat, flags)
	b = binary.AppendUvarint(b, uint64(a.size))
	b = binary.LittleEndian.AppendUint64(b, uint64(a.mtime))
	if a.crc.Known {
		b = binary.LittleEndian.AppendUint32(b, a.crc.Sum)
	}
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
	for _, name := range slices.Sorted(maps.Keys(a.Metadata)) {
		b = appendString(b, name)
		b = appendString(b, a.Metadata[name])
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decodeAttrs decodes a result of encode. It returns nil for anything else.
func decodeAttrs(b []byte) *attrs {
	if len(b) < 2 || b[0] != attrsFormat {
		return nil
	}
	a := &attrs{publicRead: b[1]&flagPublic != 0}
	hasCRC := b[1]&flagCRC != 0
	size, n := binary.Uvarint(b[2:])
	if n <= 0 {
		return nil
	}
	b = b[2+n:]
	if len(b) < 8 {
		return nil
	}
	a.size, a.mtime, b = int64(size), int64(binary.LittleEndian.Uint64(b)), b[8:]
	if hasCRC {
		if len(b) < 4 {
			return nil
		}
		a.crc, b = storage.KnownCRC32C(binary.LittleEndian.Uint32(b)), b[4:]
	}
	for _, field := range [...]*string{
		&a.ContentType, &a.ContentEncoding, &a.ContentDisposition,
		&a.ContentLanguage, &a.CacheControl, &a.StorageClass, &a.unique,
	} {
		if len(b) == 0 {
			return a
		}
		var ok bool
		if *field, b, ok = cutString(b); !ok {
			return nil
		}
	}
	for len(b) > 0 {
		name, rest, ok := cutString(b)
		if !ok {
			return nil
		}
		value, rest, ok := cutString(rest)
		if !ok {
			return nil
		}
		if a.Metadata == nil {
			a.Metadata = make(map[string]string)
		}
		a.Metadata[name], b = value, rest
	}
	return a
}

func cutString(b []byte) (string, []byte, bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return "", nil, false
	}
	end := n + int(size)
	return string(b[n:end]), b[end:], true
}

// matches reports whether a was written for the current state of the file.
func (a *attrs) matches(m meta) bool {
	return a != nil && a.size == m.size && a.mtime == m.mtime
}

// attrsOf returns the attributes of a file for the caller. If a is nil, another program
// made the file, and the core derives its content type from the key.
func (s *store) attrsOf(key string, m meta, a *attrs) *storage.Attrs {
	out := &storage.Attrs{Key: key, Size: m.size, Modified: m.time()}
	out.ETag, out.Revision = s.tagOf(m, a).split()
	if s.keepsVersions() {
		out.Version = versionOf(m)
	}
	if a != nil {
		out.Properties = a.Properties
	}
	if a.matches(m) {
		out.CRC32C = a.crc
	}
	return out
}
