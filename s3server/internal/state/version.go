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
	"github.com/omnibucket/storage/s3server/internal/lifecycle"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/tagging"
)

// SumOf returns the checksum that S3 sends with the bytes of a read. Without a range, it is that of the
// object. With a range, isPartial is true, and the checksum is:
//
//   - that of the object, without the suffix "-N" of a composite checksum, if the range is the whole
//     object;
//   - that of the part, if the range is exactly one part of the upload;
//   - none otherwise, because the checksum of these bytes is not known.
func (v *Version) SumOf(offset, length int64, isPartial bool) checksum.Sum {
	if !isPartial {
		return v.Object.Sum
	}

	sum := v.Object.Sum
	isWhole := length == v.Object.Size
	if isWhole {
		sum.Value, _, _ = strings.Cut(sum.Value, "-")
		return sum
	}
	for _, p := range v.Object.Parts {
		isPart := p.Offset == offset && p.Size == length
		if isPart && p.Sum.Kind == sum.Kind {
			sum.Value = p.Sum.Value
			return sum
		}
	}
	return checksum.Sum{}
}

// SetContent sets the size, the entity tag and the checksum of the object to those of d.
func (o *Object) SetContent(d *checksum.Digest) {
	o.ETag = o.Encryption.Tag(`"` + hex.EncodeToString(d.MD5.Sum(nil)) + `"`)
	o.Size = d.Size
	o.Sum = d.Sum()
}

// A Restored is the time in which the restored copy of an archived version can be read.
type Restored struct{ From, Until time.Time } // the zero value means that no copy was requested

// IsArchived reports whether the storage class is one whose objects must be restored before
// reading.
func (p Properties) IsArchived() bool { return p.Class == "GLACIER" || p.Class == "DEEP_ARCHIVE" }

// Write adds the state of the restored copy to the headers of a response.
func (c Restored) Write(header http.Header, now time.Time) {
	if now.Before(c.From) {
		header.Set("X-Amz-Restore", `ongoing-request="true"`)
	} else if now.Before(c.Until) {
		header.Set("X-Amz-Restore", `ongoing-request="false", expiry-date="`+c.Until.Format(http.TimeFormat)+`"`)
	}
}

// Standard is the storage class of an object if the client names none.
const Standard = "STANDARD"

// Redirection is the name of the header with the address to which the website redirects requests
// for an object.
const Redirection = "X-Amz-Website-Redirect-Location"

// SystemHeaders has the headers of a write that a read returns unchanged.
var SystemHeaders = []string{
	"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Expires",
	Redirection,
}

// Properties has the properties of an object that a write sets in addition to the bytes.
type Properties struct {
	Header http.Header // headers that a read returns, including metadata
	Class  string
	Tags   []tagging.Tag
}

// KeepEncoding sets Content-Encoding to value without aws-chunked, which only describes the transfer of
// the body.
func (p *Properties) KeepEncoding(value string) {
	codings := slices.DeleteFunc(strings.Split(value, ","), func(coding string) bool {
		return strings.EqualFold(strings.TrimSpace(coding), "aws-chunked")
	})

	p.Header.Del("Content-Encoding")
	value = strings.TrimSpace(strings.Join(codings, ","))
	if value != "" {
		p.Header.Set("Content-Encoding", value)
	}
}

// Write adds the properties to the headers of a response.
func (p Properties) Write(header http.Header) {
	maps.Copy(header, p.Header)
	if p.Class != Standard {
		header.Set("X-Amz-Storage-Class", p.Class)
	}
	if len(p.Tags) > 0 {
		header.Set("X-Amz-Tagging-Count", strconv.Itoa(len(p.Tags)))
	}
}

// NullVersion is the id of a version that was written while the bucket did not keep versions.
const NullVersion = "null"

// A Version is a version of a key: an object or a delete marker.
type Version struct {
	Key, ID  string
	Number   uint64 // ascending number of the write; 0 if the store does not count writes
	Modified time.Time
	Marker   bool
	Object   Object
}

// An Object is the content and the attributes of a version.
type Object struct {
	ETag       string // quoted
	StoreETag  bool   // true if the store makes the entity tag, and not this server
	Size       int64
	Data       any          // the store's reference to the bytes
	Parts      []ObjectPart // parts of a multipart upload; nil if the object was not one
	Sum        checksum.Sum
	Properties Properties
	Account    string // account that wrote the object; see [Bucket.OwnerOf]
	ACL        acl.List
	Encryption Encryption
	Lock       Lock
	Restored   Restored
	Upload     string // id of the upload that made the object, or "" if unknown
}

// An ObjectPart is a part of an object that was a multipart upload.
type ObjectPart struct {
	Offset, Size int64
	Sum          checksum.Sum
}

// Readable fails if v, the version that a request has looked up by name, cannot be read. That is so if v
// is nil, which means that it does not exist, or if v is a delete marker.
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
			WithHeader("X-Amz-Delete-Marker", "true").
			WithHeader("Allow", "DELETE").
			WithHeader("Last-Modified", v.Modified.Format(http.TimeFormat))
	}
	return nil
}

// IsVersionText reports whether an id has only characters that S3 permits in version ids.
func IsVersionText(id string) bool {
	const permitted = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
	return id != "" && len(id) <= 1024 && strings.Trim(id, permitted) == ""
}

// LifecycleFacts returns what lifecycle rules need to know about the version.
func (v *Version) LifecycleFacts() lifecycle.Version {
	o := &v.Object
	return lifecycle.Version{
		Key:      v.Key,
		Marker:   v.Marker,
		Size:     o.Size,
		Class:    o.Properties.Class,
		Tags:     o.Properties.Tags,
		Modified: v.Modified,
	}
}
