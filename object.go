package storage

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/omnibucket/storage/internal/keyrule"
)

// Attrs describe one revision of an object. A zero field was not reported. The names in JSON never
// change.
type Attrs struct {
	Key  string `json:"key"`
	Size int64  `json:"size"` // bytes
	Properties

	ETag string `json:"etag,omitempty"` // the HTTP entity tag, quoted, as the provider serves it
	// Revision is opaque, for IfRevision. It changes with every write (UniqueRevisions) or every change of the content.
	Revision string `json:"revision,omitempty"`
	Version  string `json:"version,omitempty"` // opaque; empty unless the bucket keeps versions
	// Modified is when this revision was written, in UTC. It is zero in the result of a write on S3.
	Modified time.Time `json:"modified,omitzero"`
	CRC32C   CRC32C    `json:"crc32c,omitzero"` // of all bytes
	MD5      []byte    `json:"md5,omitempty"`   // of all bytes, never guessed from an ETag

	// TagCount is how many tags there are; see Tags. It is also zero in what a Download from Google returns, and on S3
	// if the credentials may not read tags.
	TagCount int `json:"tagCount,omitempty"`
	// Retention is in force or has passed. On S3 it is also zero if the credentials may not read it.
	Retention Retention `json:"retention,omitzero"`
	// LegalHold is that of SetLegalHold. It is also false in what a Download from Google returns.
	LegalHold  bool       `json:"legalHold,omitempty"`
	Encryption Encryption `json:"encryption,omitzero"`
	// Archived means that a read of the content fails with the code Archived, until Restore has made a copy.
	Archived bool         `json:"archived,omitempty"`
	Restore  RestoreState `json:"restore,omitzero"` // of an archived object
	// ReplicationStatus is the provider's word, such as S3's COMPLETED or Azure's complete; "" if the object is not
	// replicated.
	ReplicationStatus string `json:"replicationStatus,omitempty"`
	// Native is the provider's own response to a read WithNativeAttrs: see AttrsAs.
	Native any `json:"-"`
}

// Same reports whether a still describes the object of earlier, which was read before. Both must have the same
// revision, or the same time if there are no revisions. The size counts too: a server may send a new object with the
// old ETag.
func (a *Attrs) Same(earlier *Attrs) bool {
	if earlier.Revision != "" && a.Revision != earlier.Revision {
		return false
	}
	return a.Size == earlier.Size && (earlier.Revision != "" || a.Modified.Equal(earlier.Modified))
}

// AttrsAs returns the provider's own response to a read [WithNativeAttrs], without a body: of
// Attrs and Download *s3.HeadObjectOutput and *s3.GetObjectOutput, *storage.ObjectAttrs, or
// blob.GetPropertiesResponse and blob.DownloadStreamResponse. Otherwise it returns false.
func AttrsAs[T any](a *Attrs) (T, bool) {
	native, ok := a.Native.(T)
	return native, ok
}

// Encryption is how the store encrypts an object, if known, in its own words.
type Encryption struct {
	Algorithm string `json:"algorithm,omitempty"` // "AES256", "aws:kms", …
	// KeyID is the key of a key management service, or Azure's encryption scope. For a customer's own key, it is the
	// hash of that key.
	KeyID string `json:"keyId,omitempty"`
}

// A RestoreState tells how far [Restore] of an archived object is.
type RestoreState struct {
	InProgress bool      `json:"inProgress,omitempty"`
	Until      time.Time `json:"until,omitzero"` // when the restored copy is removed; zero if there is none
}

// Properties are set by a write and returned by a read.
type Properties struct {
	ContentType        string            `json:"contentType,omitempty"`
	ContentEncoding    string            `json:"contentEncoding,omitempty"`
	ContentDisposition string            `json:"contentDisposition,omitempty"`
	ContentLanguage    string            `json:"contentLanguage,omitempty"`
	CacheControl       string            `json:"cacheControl,omitempty"`
	Metadata           map[string]string `json:"metadata,omitempty"` // keys in lower case
	// StorageClass is the provider's word. It is empty for the default, or if the store does not say it, as in
	// the listing of a local directory.
	StorageClass string `json:"storageClass,omitempty"`
}

// A ListEntry is an object or, with WithDelimiter, a common prefix.
type ListEntry struct {
	Key      string    `json:"key"`                // the object's key; for a prefix, the prefix with its delimiter
	IsPrefix bool      `json:"isPrefix,omitempty"` // everything below is zero for a prefix
	Size     int64     `json:"size"`               // bytes
	ETag     string    `json:"etag,omitempty"`
	Revision string    `json:"revision,omitempty"`
	Modified time.Time `json:"modified,omitzero"`
	// StorageClass is the provider's word. It is empty for the default, or if the store does not say it, as in
	// the listing of a local directory.
	StorageClass string `json:"storageClass,omitempty"`
}

// A VersionEntry is one kept version of an object.
type VersionEntry struct {
	ListEntry
	Version string `json:"version,omitempty"` // for WithVersion
	// Current means that a read without a version returns it. No delete marker is current.
	Current        bool `json:"current"`
	IsDeleteMarker bool `json:"isDeleteMarker,omitempty"` // a delete marker
	// NoncurrentSince is when the version was replaced or removed. It is zero for the current one, and on Azure for a
	// blob that was removed.
	NoncurrentSince time.Time `json:"noncurrentSince,omitzero"`
	// SoftDeletedUntil is when the store drops it. It is zero unless the listing is WithSoftDeleted.
	SoftDeletedUntil time.Time `json:"softDeletedUntil,omitzero"`
}

// A Page is one page of a listing. The last page has an empty Token.
type Page struct {
	Entries []ListEntry `json:"entries"`
	Token   string      `json:"token,omitempty"`
}

// A CRC32C is a checksum (Castagnoli), in JSON a number, or null if unknown.
type CRC32C struct {
	Sum   uint32 // 0 if it is not known
	Known bool
}

// String returns 8 hexadecimal digits, or "" if the checksum is not known.
func (c CRC32C) String() string {
	if !c.Known {
		return ""
	}
	return fmt.Sprintf("%08x", c.Sum)
}

// MarshalJSON implements [json.Marshaler].
func (c CRC32C) MarshalJSON() ([]byte, error) {
	if !c.Known {
		return []byte("null"), nil
	}
	return json.Marshal(c.Sum)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (c *CRC32C) UnmarshalJSON(data []byte) error {
	var sum *uint32
	if err := json.Unmarshal(data, &sum); err != nil {
		return err
	}
	*c = CRC32C{}
	if sum != nil {
		*c = CRC32C{Sum: *sum, Known: true}
	}
	return nil
}

// EncodeMetadataValue returns text, any bytes, as a value that [WithMetadata] accepts and
// every store keeps, also on a signed upload. All but printable ASCII, "%", a "?" after "="
// and a space at either end take three bytes each.
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

// staysInMetadata reports whether every store returns the byte at i as it is.
// "=?" begins an encoded word (RFC 2047), which the core encodes again for S3 and
// Azure, and which R2 decodes before it stores it.
//
// https://developers.cloudflare.com/r2/api/s3/extensions/
func staysInMetadata(text string, i int) bool {
	switch c := text[i]; c {
	case '%':
		return false
	case ' ':
		return i > 0 && i < len(text)-1
	case '?':
		return i == 0 || text[i-1] != '='
	default:
		return c > 0x20 && c < 0x7F
	}
}

// DecodeMetadataValue undoes [EncodeMetadataValue]. Other text stays as it is.
func DecodeMetadataValue(value string) string {
	text, err := url.PathUnescape(value)
	if err != nil {
		return value
	}
	return text
}

// checkPrefix implements the part of rule K5 that makes Prefixed safe: "users/1" would reach
// users/10.
func checkPrefix(prefix string) *Error {
	if !strings.HasSuffix(prefix, "/") {
		return invalid("prefix", `must consist of whole segments and end in "/"`)
	}
	if rule := keyrule.Write(prefix[:len(prefix)-1]); rule != "" {
		return invalid("prefix", "must consist of valid segments: key "+rule)
	}
	return nil
}
