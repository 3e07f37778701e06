package storage

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/omnibucket/storage/internal/objectkey"
)

// Attrs describe one revision of an object. A field is zero if the store did not report it. The
// field names in JSON never change.
type Attrs struct {
	Key  string `json:"key"`
	Size int64  `json:"size"` // bytes
	Properties

	ETag string `json:"etag,omitempty"` // HTTP entity tag, quoted, as the provider sends it
	// Revision is an opaque text for IfRevision. In a store with UniqueRevisions, it changes with
	// every write. In other stores, it changes when the content changes.
	Revision string `json:"revision,omitempty"`
	Version  string `json:"version,omitempty"` // opaque text; empty unless the bucket keeps versions
	// Modified is the time at which this revision was written, in UTC. It is zero in the result of a write on S3.
	Modified time.Time `json:"modified,omitzero"`
	CRC32C   CRC32C    `json:"crc32c,omitzero"` // of all bytes; may be unknown
	MD5      []byte    `json:"md5,omitempty"`   // never derived from an ETag

	// TagCount is the number of tags (see Tags). It is also zero in the result of a Download from Google, and on S3 if
	// the credentials may not read tags.
	TagCount int `json:"tagCount,omitempty"`
	// Retention is the retention of the object, even if its end has passed. On S3 it is zero if the
	// credentials may not read it.
	Retention Retention `json:"retention,omitzero"`
	// LegalHold is true if the object has a legal hold. It is always false in the result of a Download from Google.
	LegalHold  bool       `json:"legalHold,omitempty"`
	Encryption Encryption `json:"encryption,omitzero"`
	// Archived means that a read of the content fails with the code Archived, until Restore has made a copy.
	Archived bool         `json:"archived,omitempty"`
	Restore  RestoreState `json:"restore,omitzero"` // progress of Restore, for an archived object
	// ReplicationStatus is the provider's own term, such as S3's COMPLETED or Azure's complete. It
	// is "" if the object is not replicated.
	ReplicationStatus string `json:"replicationStatus,omitempty"`
	// Native is the provider's own response to a read that was made WithNativeAttrs (see AttrsAs).
	Native any `json:"-"`
}

// Same reports whether both Attrs describe the same object, because they have the same size and
// revision, or the same size and time if old has no revision. The size is compared because some
// servers send a new object with the old ETag.
func (a *Attrs) Same(old *Attrs) bool {
	if a.Size != old.Size {
		return false
	}
	if old.Revision != "" {
		return a.Revision == old.Revision
	}
	return a.Modified.Equal(old.Modified)
}

// AttrsAs returns the provider's own response to a read with [WithNativeAttrs], without a body. On
// S3, T is *s3.HeadObjectOutput or, for Download, *s3.GetObjectOutput. On Google, it is
// *storage.ObjectAttrs. On Azure, it is blob.GetPropertiesResponse or, for Download,
// blob.DownloadStreamResponse. For any other T, AttrsAs returns false.
func AttrsAs[T any](a *Attrs) (T, bool) {
	native, ok := a.Native.(T)
	return native, ok
}

// Encryption says how the store encrypts an object, in the provider's own terms. It is zero if the
// store does not report that.
type Encryption struct {
	Algorithm string `json:"algorithm,omitempty"` // such as "AES256" or "aws:kms"
	// KeyID names the key of a key management service, or Azure's encryption scope. For a
	// customer's own key, it is the hash of that key.
	KeyID string `json:"keyId,omitempty"`
}

// A RestoreState tells how far [Restore] of an archived object is.
type RestoreState struct {
	InProgress bool      `json:"inProgress,omitempty"`
	Until      time.Time `json:"until,omitzero"` // time at which the restored copy is removed; zero if there is none
}

// Properties are attributes that a write sets and a read returns.
type Properties struct {
	ContentType        string            `json:"contentType,omitempty"`
	ContentEncoding    string            `json:"contentEncoding,omitempty"`
	ContentDisposition string            `json:"contentDisposition,omitempty"`
	ContentLanguage    string            `json:"contentLanguage,omitempty"`
	CacheControl       string            `json:"cacheControl,omitempty"`
	Metadata           map[string]string `json:"metadata,omitempty"` // keys in lower case
	// StorageClass is the provider's own name. It is empty for the default class, or if the store does not report it,
	// as in the listing of a local directory.
	StorageClass string `json:"storageClass,omitempty"`
}

// Controls are the attributes of a write that do not belong to the [Properties]: public reading, tags and locks.
type Controls struct {
	PublicRead bool
	Tags       map[string]string // nil if not given
	Retention  Retention
	LegalHold  bool
}

// A Retention keeps one object, or one version, until a time. The zero value means that there is no retention.
type Retention struct {
	Mode  RetentionMode `json:"mode"`
	Until time.Time     `json:"until"` // UTC
}

// A RetentionMode says who can end or shorten a retention.
type RetentionMode string

// The modes of a retention. Google and Azure call Governance "Unlocked", and Compliance "Locked".
const (
	Governance RetentionMode = "governance" // a caller with a permission can end it (WithGovernanceBypass)
	Compliance RetentionMode = "compliance" // nobody can end it; it can only be extended
)

// A ListEntry is an object or, with WithDelimiter, a common prefix.
type ListEntry struct {
	Key      string    `json:"key"`                // key of the object; for a prefix, the prefix with its delimiter
	IsPrefix bool      `json:"isPrefix,omitempty"` // true for a common prefix, which has only a Key
	Size     int64     `json:"size"`               // bytes
	ETag     string    `json:"etag,omitempty"`
	Revision string    `json:"revision,omitempty"`
	Modified time.Time `json:"modified,omitzero"`
	// StorageClass is the provider's own name. It is empty for the default class, or if the store does not report it,
	// as in the listing of a local directory.
	StorageClass string `json:"storageClass,omitempty"`
}

// A VersionEntry is one kept version of an object.
type VersionEntry struct {
	ListEntry
	Version string `json:"version,omitempty"` // for WithVersion
	// Current means that a read without a version returns this version. A delete marker is never current.
	Current        bool `json:"current"`
	IsDeleteMarker bool `json:"isDeleteMarker,omitempty"` // true if the version marks the removal of the object
	// NoncurrentSince is the time at which the version was replaced or removed. It is zero for the
	// current version. On Azure, it is also zero for a blob that was removed.
	NoncurrentSince time.Time `json:"noncurrentSince,omitzero"`
	// SoftDeletedUntil is the time at which the store drops the version. It is only set in a listing WithSoftDeleted.
	SoftDeletedUntil time.Time `json:"softDeletedUntil,omitzero"`
}

// A Page is one page of a listing. The last page has an empty Token.
type Page struct {
	Entries []ListEntry `json:"entries"`
	Token   string      `json:"token,omitempty"`
}

// A CRC32C is a checksum with the Castagnoli polynomial. In JSON it is a number, or null if the
// checksum is not known.
type CRC32C struct {
	Sum   uint32 // 0 if it is not known
	Known bool
}

// String returns the checksum as 8 hexadecimal digits, or "" if it is not known.
func (c CRC32C) String() string {
	if !c.Known {
		return ""
	}
	return fmt.Sprintf("%08x", c.Sum)
}

// MarshalJSON implements [json.Marshaler]. A checksum that is not known becomes null.
func (c CRC32C) MarshalJSON() ([]byte, error) {
	if !c.Known {
		return []byte("null"), nil
	}
	return json.Marshal(c.Sum)
}

// UnmarshalJSON implements [json.Unmarshaler]. It reads null as a checksum that is not known.
func (c *CRC32C) UnmarshalJSON(data []byte) error {
	var sum *uint32 // nil after null
	if err := json.Unmarshal(data, &sum); err != nil {
		return err
	}
	*c = CRC32C{}
	if sum != nil {
		*c = CRC32C{Sum: *sum, Known: true}
	}
	return nil
}

// EncodeMetadataValue encodes any bytes as a value that [WithMetadata] accepts and every store
// keeps, even on a signed upload. Printable ASCII stays as it is, except "%", a "?" after "=", and
// a space at either end. These and all other bytes become "%" and two hexadecimal digits.
func EncodeMetadataValue(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if staysInMetadata(text, i) {
			b.WriteByte(text[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", text[i])
		}
	}
	return b.String()
}

// staysInMetadata reports whether every store returns the byte at i unchanged, so that it needs no
// percent-encoding.
//
// A "?" after "=" needs percent-encoding, because "=?" begins an encoded word (RFC 2047). For S3 and
// Azure, the engine itself encodes a value with "=?" as such words, but R2 would decode them.
//
// https://developers.cloudflare.com/r2/api/s3/extensions/
func staysInMetadata(text string, i int) bool {
	switch c := text[i]; c {
	case '%':
		return false
	case ' ':
		// A space at an end would be lost.
		return i > 0 && i < len(text)-1
	case '?':
		return i == 0 || text[i-1] != '='
	default:
		// All other printable ASCII stays.
		return c > 0x20 && c < 0x7F
	}
}

// DecodeMetadataValue returns the text that [EncodeMetadataValue] has encoded. A value that is not
// a valid encoding is returned unchanged.
func DecodeMetadataValue(value string) string {
	text, err := url.PathUnescape(value)
	if err != nil {
		return value
	}
	return text
}

// checkPrefix returns an error if Prefixed does not permit the prefix.
func checkPrefix(prefix string) *Error {
	if rule := prefixRule(prefix); rule != "" {
		return invalid("prefix", rule)
	}
	return nil
}

// prefixRule returns the text of the rule that an invalid prefix breaks, or "" for a valid prefix. A
// prefix must end in "/" (rule K5), because "users/1" would also reach the keys under "users/10".
func prefixRule(prefix string) string {
	if !strings.HasSuffix(prefix, "/") {
		return `must consist of whole segments and end in "/"`
	}
	if rule := objectkey.WriteRule(prefix[:len(prefix)-1]); rule != "" {
		return "must consist of valid segments: key " + rule
	}
	return ""
}
