package objectfile

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// An Attrs holds the attributes of an object, as an extended attribute or a sidecar stores them.
// Size and MTime are the size and time of the file when it was written. If the file now has others,
// another program has changed the file, and the checksum is not used.
type Attrs struct {
	storage.Properties
	CRC32C     storage.CRC32C
	PublicRead bool
	Tags       map[string]string
	Retention  storage.Retention
	LegalHold  bool
	Size       int64
	MTime      int64  // Unix time in nanoseconds
	Unique     string // a random revision, if file times are too coarse for revisions
}

// NewAttrs returns the attributes of a new object without its size and time, which Staging.Seal adds.
func NewAttrs(p storage.Properties, c *storage.Controls, crc storage.CRC32C) Attrs {
	return Attrs{
		Properties: p,
		CRC32C:     crc,
		PublicRead: c.PublicRead,
		Tags:       maps.Clone(c.Tags),
		Retention:  c.Retention,
		LegalHold:  c.LegalHold,
	}
}

// These are the formats of Encode. Only the second format has tags and locks. A release that knows
// only the first format ignores the second, instead of reading wrong attributes.
const (
	attrsFormat       = 1
	attrsFormatLocked = 2
)

const (
	flagCRC = 1 << iota
	flagPublic
	flagTags
	flagGovernance // a retention in the mode Governance; Encode also writes its end time
	flagCompliance // a retention in the mode Compliance; Encode also writes its end time
	flagHold
)

// Encode returns the attributes in a short binary form, because ext4 needs one more block for values
// of more than about sixty bytes.
func (a *Attrs) Encode() []byte {
	b := make([]byte, 0, 128) // enough for most objects

	flags := byte(0)
	if a.CRC32C.Known {
		flags |= flagCRC
	}
	if a.PublicRead {
		flags |= flagPublic
	}
	controlFlags := a.controlFlags()
	flags |= controlFlags

	// Only attributes with tags or locks have the second format, which older releases cannot read.
	form := byte(attrsFormat)
	if controlFlags != 0 {
		form = attrsFormatLocked
	}

	b = append(b, form, flags)
	b = binary.AppendUvarint(b, uint64(a.Size))
	b = binary.LittleEndian.AppendUint64(b, uint64(a.MTime))
	if a.CRC32C.Known {
		b = binary.LittleEndian.AppendUint32(b, a.CRC32C.Sum)
	}
	b = a.appendControls(b)

	// Omit empty fields at the end, unless metadata follows them.
	fields := [...]string{
		a.ContentType, a.ContentEncoding, a.ContentDisposition,
		a.ContentLanguage, a.CacheControl, a.StorageClass, a.Unique,
	}
	count := len(fields)
	if len(a.Metadata) == 0 {
		for count > 0 && fields[count-1] == "" {
			count--
		}
	}
	for _, field := range fields[:count] {
		b = appendString(b, field)
	}
	return appendMap(b, a.Metadata)
}

// controlFlags returns the flags that say which tags and locks the attributes have.
func (a *Attrs) controlFlags() (flags byte) {
	if len(a.Tags) > 0 {
		flags |= flagTags
	}
	switch a.Retention.Mode {
	case storage.Governance:
		flags |= flagGovernance
	case storage.Compliance:
		flags |= flagCompliance
	}
	if a.LegalHold {
		flags |= flagHold
	}
	return flags
}

// appendControls appends to b the encoded end of the retention, the number of tags and the tags. It omits
// those that the attributes lack, because controlFlags says which there are.
func (a *Attrs) appendControls(b []byte) []byte {
	if a.Retention.Mode != "" {
		b = binary.AppendVarint(b, a.Retention.Until.Unix())
	}
	if len(a.Tags) > 0 {
		b = appendMap(binary.AppendUvarint(b, uint64(len(a.Tags))), a.Tags)
	}
	return b
}

// appendMap appends the encoded names and values of m to b, sorted by name.
func appendMap(b []byte, m map[string]string) []byte {
	// A constant capacity keeps the slice on the stack.
	names := make([]string, 0, 16)
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

// appendString appends the length of s and then s.
func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decodeAttrs decodes a result of Encode, or returns nil if b is not one. It fails with Unsupported
// if a later version of this library has encoded the attributes, which must not count as missing.
func decodeAttrs(b []byte) (*Attrs, error) {
	// attrsFormatLocked is the latest form that this version knows.
	if len(b) > 0 && b[0] > attrsFormatLocked {
		return nil, &storage.Error{
			Code: storage.Unsupported,
			Err:  fmt.Errorf("a later version of this library has stored the attributes in form %d", b[0]),
			Hint: "update this program",
		}
	}
	const headerSize = 2 // the form and the flags
	if len(b) < headerSize || b[0] < attrsFormat {
		return nil, nil
	}

	// Decode in the order of Encode. The flags tell which of the optional values follow.
	flags := b[1]
	d := &decoder{rest: b[headerSize:]}
	a := &Attrs{
		PublicRead: flags&flagPublic != 0,
		LegalHold:  flags&flagHold != 0,
	}
	a.Size = int64(d.uvarint())
	a.MTime = int64(binary.LittleEndian.Uint64(d.takeBytes(8)))
	if flags&flagCRC != 0 {
		a.CRC32C = storage.CRC32C{Sum: binary.LittleEndian.Uint32(d.takeBytes(4)), Known: true}
	}
	d.decodeControls(a, flags)

	// Encode omits empty fields at the end.
	fields := [...]*string{
		&a.ContentType, &a.ContentEncoding, &a.ContentDisposition,
		&a.ContentLanguage, &a.CacheControl, &a.StorageClass, &a.Unique,
	}
	for _, field := range fields {
		if len(d.rest) > 0 {
			*field = d.takeString()
		}
	}
	// The metadata is the rest.
	for len(d.rest) > 0 {
		d.takePair(&a.Metadata)
	}
	if d.failed {
		return nil, nil
	}
	return a, nil
}

// decodeControls decodes the retention and the tags, which appendControls has encoded, into attrs. flags
// are those of controlFlags, which say what there is to decode.
func (d *decoder) decodeControls(attrs *Attrs, flags byte) {
	if flags&flagGovernance != 0 {
		attrs.Retention.Mode = storage.Governance
	} else if flags&flagCompliance != 0 {
		attrs.Retention.Mode = storage.Compliance
	}
	if attrs.Retention.Mode != "" {
		attrs.Retention.Until = time.Unix(d.varint(), 0).UTC()
	}

	if flags&flagTags != 0 {
		for count := d.uvarint(); count > 0 && !d.failed; count-- {
			d.takePair(&attrs.Tags)
		}
	}
}

// A decoder reads values from the beginning of rest, and removes them. If rest is too short for a
// value, the decoder empties rest and sets failed to true. The value is then meaningless.
type decoder struct {
	rest   []byte
	failed bool
}

// takeBytes removes and returns the next n bytes. If there are fewer, it records the failure and
// returns up to 8 zeros, so that the caller can decode a number of fixed size.
func (d *decoder) takeBytes(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.fail()
		return make([]byte, min(n, 8))
	}
	taken := d.rest[:n]
	d.rest = d.rest[n:]
	return taken
}

// fail empties rest, so that no further value is read.
func (d *decoder) fail() {
	d.rest = nil
	d.failed = true
}

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

// skip removes the n bytes of a number from rest. n is the result of a function of package binary,
// which is not positive if there is no valid number.
func (d *decoder) skip(n int) {
	if n <= 0 {
		d.fail()
		return
	}
	d.rest = d.rest[n:]
}

func (d *decoder) takeString() string { return string(d.takeBytes(d.uvarint())) }

// takePair decodes a name and its value and adds them to m, which it makes if it is nil.
func (d *decoder) takePair(m *map[string]string) {
	name := d.takeString()
	value := d.takeString()
	if *m == nil {
		*m = make(map[string]string)
	}
	(*m)[name] = value
}

// Matches reports whether the attributes were written for the current content of a file. The
// parameter meta is the stat result of the file.
func (a *Attrs) Matches(meta osdir.Meta) bool {
	return a != nil && a.Size == meta.Size && a.MTime == meta.MTime
}
