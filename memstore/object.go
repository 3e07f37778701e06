package memstore

import (
	"maps"
	"strconv"
	"time"

	"github.com/omnibucket/storage"
)

// An object is the result of one write. Once it is in a bucket, it never changes, because readers
// and copies share its bytes and its metadata map.
type object struct {
	key  string
	data []byte
	storage.Properties
	public   bool // true if written with WithPublicRead: anyone may read it through package serve
	extra    *extraAttrs
	crc32c   storage.CRC32C
	revision uint64
	etag     string
	modified time.Time
	marker   bool // true for a delete marker, which is never current
}

// A extraAttrs has the attributes that most objects lack: tags, locks and a restored copy. Like an
// object, it never changes.
type extraAttrs struct {
	tags      map[string]string
	retention storage.Retention
	hold      bool
	restored  restorePeriod
}

// newObject returns an object with these bytes and attributes, which has no revision yet.
func newObject(key string, data []byte, p storage.Properties, c *storage.Controls, crc32c storage.CRC32C) *object {
	o := &object{key: key, data: data, Properties: p, public: c.PublicRead, crc32c: crc32c}
	o.setExtra(extraAttrs{tags: maps.Clone(c.Tags), retention: c.Retention, hold: c.LegalHold})
	return o
}

// setExtra sets the tags, locks and restore state of o, which must not be in a bucket yet.
func (o *object) setExtra(extra extraAttrs) {
	o.extra = nil
	isLocked := extra.hold || extra.retention != (storage.Retention{})
	isRestored := extra.restored != (restorePeriod{})
	if len(extra.tags) > 0 || isLocked || isRestored {
		o.extra = &extra
	}
}

// copyExtra returns a copy of the tags, locks and restore state of o.
func (o *object) copyExtra() extraAttrs {
	if o.extra == nil {
		return extraAttrs{}
	}
	return *o.extra
}

// An ETag has the form "checksum-revision", in quotes, such as "01234567-memory:12". Every write makes
// another ETag. The checksum is the CRC32C, which the object already has, so no other hash is computed.
// The revision begins with the provider's name, as in Attrs.Revision.
const (
	revisionTag    = provider + ":"
	revisionInETag = len(`"01234567-`) // index of the revision
)

// setRevision sets the revision of the object, and its ETag, which consists of the checksum and the
// revision, such as "0a1b2c3d-memory:17" with its quotes. The text is built in one slice, because
// every write to the bucket needs it.
func (o *object) setRevision(revision uint64) {
	const (
		hexDigits    = "0123456789abcdef"
		crc32cDigits = 8
		capacity     = 48 // bytes; the longest ETag has 38
	)
	etag := make([]byte, revisionInETag, capacity)
	etag[0] = '"'
	etag[revisionInETag-1] = '-'

	// Write the digits of the checksum, from the last one to the first.
	rest := o.crc32c.Sum
	for i := crc32cDigits; i >= 1; i-- {
		etag[i] = hexDigits[rest%16]
		rest /= 16
	}

	etag = append(etag, revisionTag...)
	etag = strconv.AppendUint(etag, revision, 10)
	o.revision = revision
	o.etag = string(append(etag, '"'))
}

// revisionText returns the revision as users see it, with the provider's name. It is a slice of the
// ETag, so it needs no memory of its own.
func (o *object) revisionText() string { return o.etag[revisionInETag : len(o.etag)-1] }

// attrs returns the attributes of the object. The caller may change them, except for the metadata
// map, which the object shares.
func (o *object) attrs(withVersion bool) *storage.Attrs {
	result := &storage.Attrs{
		Key:        o.key,
		Size:       int64(len(o.data)),
		Properties: o.Properties,
		ETag:       o.etag,
		Revision:   o.revisionText(),
		Modified:   o.modified,
		CRC32C:     o.crc32c,
	}
	if extra := o.extra; extra != nil {
		result.TagCount = len(extra.tags)
		result.Retention = extra.retention
		result.LegalHold = extra.hold
	}
	if withVersion {
		result.Version = result.Revision
	}
	return result
}

// describe sets the fields of the listing's entry for o. It sets them one by one, because assigning
// a whole ListEntry would make listings slower.
func (o *object) describe(entry *storage.ListEntry) {
	entry.Key = o.key
	entry.IsPrefix = false
	entry.Size = int64(len(o.data))
	entry.ETag = o.etag
	entry.Revision = o.revisionText()
	entry.Modified = o.modified
	entry.StorageClass = o.StorageClass
}
