package memstore

import (
	"strconv"
	"time"

	"github.com/omnibucket/storage"
)

// An object is one write's outcome. Once it is in a bucket it is never changed,
// its bytes and its metadata map included: readers and copies share them.
type object struct {
	key  string
	data []byte
	storage.Properties
	public   bool // WithPublicRead: whoever serves the bucket may show it to anyone
	summed   bool // crc32c is known
	crc32c   uint32
	revision uint64
	etag     string
	modified time.Time
}

func newObject(key string, data []byte, p storage.Properties, crc32c *uint32) *object {
	o := &object{key: key, data: data, Properties: p}
	if crc32c != nil {
		o.summed, o.crc32c = true, *crc32c
	}
	return o
}

// An ETag is "checksum-revision" in quotes: it changes with every write, and
// costs no pass over the bytes. The revision in it is tagged, as the user sees
// it.
const (
	revisionTag    = provider + ":"
	revisionInETag = len(`"01234567-`)
)

// stamp gives the object its revision, and the ETag that holds it.
func (o *object) stamp(revision uint64) {
	const digits = "0123456789abcdef"
	text := make([]byte, revisionInETag, 48)
	text[0], text[revisionInETag-1] = '"', '-'
	for i := range 8 {
		text[i+1] = digits[o.crc32c>>(28-4*i)&0xF]
	}
	text = append(text, revisionTag...)
	text = strconv.AppendUint(text, revision, 10)
	o.revision, o.etag = revision, string(append(text, '"'))
}

// revisionText is a part of the ETag, so that the two cost one allocation.
func (o *object) revisionText() string { return o.etag[revisionInETag : len(o.etag)-1] }

// attrs describes the object to the core, which may change what it gets, but
// not the metadata map.
func (o *object) attrs(withVersion bool) *storage.Attrs {
	// One allocation for the answer and the checksum that it points to.
	answer := &struct {
		storage.Attrs
		crc32c uint32
	}{
		Attrs: storage.Attrs{
			Key:        o.key,
			Size:       int64(len(o.data)),
			Properties: o.Properties,
			ETag:       o.etag,
			Revision:   o.revisionText(),
			Modified:   o.modified,
		},
		crc32c: o.crc32c,
	}
	if withVersion {
		answer.Version = answer.Revision
	}
	if o.summed {
		answer.CRC32C = &answer.crc32c
	}
	return &answer.Attrs
}

func (o *object) entry() storage.ListEntry {
	return storage.ListEntry{
		Key:      o.key,
		Size:     int64(len(o.data)),
		ETag:     o.etag,
		Revision: o.revisionText(),
		Modified: o.modified,
	}
}
