package storage

import (
	"time"
)

// Attrs describe one revision of an object. A field that the provider does not report is
// zero.
type Attrs struct {
	Key  string
	Size int64 // bytes
	Properties

	ETag     string    // the HTTP entity tag, quoted, as the provider serves it
	Revision string    // opaque, for IfRevision; changes with every write (UniqueRevisions) or every change of content
	Version  string    // opaque; empty unless the bucket keeps versions
	Modified time.Time // when this revision was written, UTC; zero in what a write on S3 returns
	CRC32C   CRC32C    // of all bytes
	MD5      []byte    // of all bytes, never guessed from an ETag

	TagCount   int       // see Tags; zero too in what a Download from Google returns, and on S3 if the credentials may not read tags
	Retention  Retention // in force or passed; on S3 zero too if the credentials may not read it
	LegalHold  bool      // see SetLegalHold; false too in what a Download from Google returns
	Encryption Encryption
	Restore    RestoreState // of an archived object
	// ReplicationStatus is the provider's word, such as S3's COMPLETED or Azure's complete; ""
	// if the object is not replicated.
	ReplicationStatus string

	// Native is the provider's own answer, of a read WithNativeAttrs; else nil. See AttrsAs.
	Native any
}

// AttrsAs returns the provider's own answer, for what [Attrs] does not cover. The read must have
// the option [WithNativeAttrs]:
//
//	attrs, err := bucket.Attrs(ctx, key, storage.WithNativeAttrs())
//	out, ok := storage.AttrsAs[*s3.HeadObjectOutput](attrs)
//
// Each driver has one type for Attrs and one for Download: *s3.HeadObjectOutput and
// *s3.GetObjectOutput of aws-sdk-go-v2's service/s3 (without the body), *storage.ObjectAttrs of
// cloud.google.com/go/storage for both, blob.GetPropertiesResponse and blob.DownloadStreamResponse
// (without the body) of azblob. Local and memory have none. For any other T, AttrsAs returns false.
func AttrsAs[T any](a *Attrs) (T, bool) {
	native, ok := a.Native.(T)
	return native, ok
}

// Encryption tells how the store encrypts an object at rest, in the provider's words. It is zero
// if the store does not say.
type Encryption struct {
	Algorithm string // "AES256", "aws:kms", …
	KeyID     string // of a key management service, or Azure's encryption scope; of a customer's own key its hash
}

// A RestoreState tells how far [Restore] of an archived object is.
type RestoreState struct {
	InProgress bool
	Until      time.Time // when the restored copy is removed; zero if there is none
}

// Properties are set by a write and returned by a read.
type Properties struct {
	ContentType        string
	ContentEncoding    string
	ContentDisposition string
	ContentLanguage    string
	CacheControl       string
	Metadata           map[string]string // keys in lower case
	StorageClass       string            // the provider's word; empty for its default, or if a write asked for none
}

// A ListEntry is an object or, with WithDelimiter, a common prefix.
type ListEntry struct {
	Key      string // the object's key; for a prefix, the prefix with its delimiter
	IsPrefix bool   // everything below is zero for a prefix
	Size     int64  // bytes
	ETag     string
	Revision string
	Modified time.Time
}

// A VersionEntry is one kept version of an object.
type VersionEntry struct {
	ListEntry
	Version        string // for WithVersion
	Current        bool   // a read without a version returns it, so that no delete marker is
	IsDeleteMarker bool   // a delete marker
	// NoncurrentSince is when the version was replaced or removed. It is zero for the current
	// version, and if the store does not report it: on Azure, for the newest version of a
	// blob that was removed.
	NoncurrentSince time.Time
}

// A Page is one page of a listing, for code that passes a token to its own clients. The last
// page has an empty Token.
type Page struct {
	Entries []ListEntry
	Token   string
}
