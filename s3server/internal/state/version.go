package state

import (
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/acl"
	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/tagging"
)

// SumOf returns the checksum that S3 sends with these bytes. A range has one if it is the whole
// object or exactly one part of the upload. A client that takes it for the object's checksum
// would compare the wrong values. For a range, a composite checksum has no "-N".
func (v *Version) SumOf(offset, length int64, partial bool) checksum.Sum {
	if !partial {
		return v.Object.Sum
	}
	sum := v.Object.Sum
	if length == v.Object.Size {
		sum.Value, _, _ = strings.Cut(sum.Value, "-")
		return sum
	}
	for _, p := range v.Object.Parts {
		if p.Offset == offset && p.Size == length && p.Sum.Kind == sum.Kind {
			sum.Value = p.Sum.Value
			return sum
		}
	}
	return checksum.Sum{}
}

// SetContent sets the fields that depend on the bytes of the object.
func (o *Object) SetContent(d *checksum.Digest) {
	o.ETag = o.Encryption.Tag(`"` + hex.EncodeToString(d.MD5.Sum(nil)) + `"`)
	o.Size, o.Sum = d.Size, d.Sum()
}

// A Restored is the copy of an archived version that can be read for some days.
type Restored struct{ From, Until time.Time } // zero means that none was requested

// IsArchived reports whether reading needs a restored copy.
func (p Properties) IsArchived() bool { return p.Class == "GLACIER" || p.Class == "DEEP_ARCHIVE" }

// Write writes the header of a read.
func (c Restored) Write(header http.Header, now time.Time) {
	switch {
	case now.Before(c.From):
		header.Set("X-Amz-Restore", `ongoing-request="true"`)
	case now.Before(c.Until):
		header.Set("X-Amz-Restore", `ongoing-request="false", expiry-date="`+c.Until.Format(http.TimeFormat)+`"`)
	}
}

// Standard is the storage class of an object whose write names none.
const Standard = "STANDARD"

// Redirection is the name of the header with the address to which a website redirects from an
// object.
const Redirection = "X-Amz-Website-Redirect-Location"

// SystemHeaders are the headers that are stored and returned unchanged.
var SystemHeaders = []string{
	"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Expires",
	Redirection,
}

// Properties are the properties that a write sets beside the bytes of an object.
type Properties struct {
	Header http.Header // system headers and metadata, as a read returns them
	Class  string
	Tags   []tagging.Tag
}

// KeepEncoding keeps the value as it was sent, except for aws-chunked, which only describes the
// transfer.
func (p *Properties) KeepEncoding(value string) {
	kept := slices.DeleteFunc(strings.Split(value, ","), func(coding string) bool {
		return strings.EqualFold(strings.TrimSpace(coding), "aws-chunked")
	})
	p.Header.Del("Content-Encoding")
	if value = strings.TrimSpace(strings.Join(kept, ",")); value != "" {
		p.Header.Set("Content-Encoding", value)
	}
}

// Write writes the headers of a read.
func (p Properties) Write(header http.Header) {
	maps.Copy(header, p.Header)
	if p.Class != Standard {
		header.Set("X-Amz-Storage-Class", p.Class)
	}
	if len(p.Tags) > 0 {
		header.Set("X-Amz-Tagging-Count", strconv.Itoa(len(p.Tags)))
	}
}

// NullVersion is the version of an object that was written while the bucket kept no
// versions.
const NullVersion = "null"

// A Version is one state of a key: an object or a delete marker.
type Version struct {
	Key, ID  string
	Number   uint64 // number of the write, ascending; 0 if the store has no numbers
	Modified time.Time
	Marker   bool
	Object   Object
}

// An Object is everything in a version except its name.
type Object struct {
	ETag       string // quoted
	StoreETag  bool   // the store below makes the entity tag of each object
	Size       int64
	Data       any          // where the store has the bytes
	Parts      []ObjectPart // parts of the upload that made it; nil after a PUT
	Sum        checksum.Sum
	Properties Properties
	Account    string // account that wrote it; the bucket's ownership may name another owner
	ACL        acl.List
	Encryption Encryption
	Lock       Lock
	Restored   Restored
	Upload     string // the id of the multipart upload that made it, if the store keeps that
}

// ObjectPart is a part of a completed upload.
type ObjectPart struct {
	Offset, Size int64
	Sum          checksum.Sum
}

// Readable returns the error that a reader of a version gets, which may be nil.
func Readable(v *Version, name VersionName) error {
	switch {
	case v == nil && name.ID == "":
		return s3error.New("NoSuchKey", "Key", name.Key)
	case v == nil:
		return s3error.New("NoSuchVersion", "Key", name.Key, "VersionId", name.ID)
	case v.Marker && name.ID == "":
		return s3error.New("NoSuchKey", "Key", name.Key).WithHeader("X-Amz-Delete-Marker", "true")
	case v.Marker:
		return s3error.New("MethodNotAllowed", "Method", "GET", "ResourceType", "DeleteMarker").
			WithHeader(
				"X-Amz-Delete-Marker", "true",
			).WithHeader("Allow", "DELETE").WithHeader("Last-Modified", v.Modified.Format(http.TimeFormat))
	}
	return nil
}

// IsVersionText reports whether an id has only characters that ids of versions have.
func IsVersionText(id string) bool {
	return id != "" && len(id) <= 1024 && !slices.ContainsFunc([]byte(id), func(c byte) bool {
		return (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-'
	})
}
