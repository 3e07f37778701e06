package storage

import "time"

// Attrs describes one revision of an object. What a provider does not say is
// the zero value.
type Attrs struct {
	Key  string
	Size int64 // bytes
	Properties

	ETag     string    // the HTTP entity tag, quoted, as the provider serves it
	Revision string    // opaque; changes with every write (UniqueRevisions) or every change of content; for IfRevision
	Version  string    // opaque; empty unless the bucket keeps versions
	Modified time.Time // when this revision was written, UTC; zero in the answer to a write on S3
	CRC32C   *uint32   // Castagnoli, of all bytes
	MD5      []byte    // of all bytes, never guessed from an ETag
}

// Properties are what a write can set and a read gives back.
type Properties struct {
	ContentType        string
	ContentEncoding    string
	ContentDisposition string
	ContentLanguage    string
	CacheControl       string
	Metadata           map[string]string // keys in lower case
	StorageClass       string            // the provider's word; empty for its default
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
	Version  string // for WithVersion
	Current  bool   // what a read without a version gets
	IsDelete bool   // a delete marker
	// OldSince is when it ceased to be current: replaced or removed. It is zero
	// for what is current, and where the store does not tell: on Azure, of the
	// newest version of a blob that was removed.
	OldSince time.Time
}

// A Page is one request's worth of a listing, for code that hands a token to
// its own clients. Token is empty on the last page.
type Page struct {
	Entries []ListEntry
	Token   string
}
