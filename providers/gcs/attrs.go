package gcs

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"time"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/httpheader"
)

// A resource is an object in the JSON API. A write sends one, and its response
// has the fields in resourceFields.
type resource struct {
	Name               string            `json:"name,omitempty"`
	ContentType        string            `json:"contentType,omitempty"`
	ContentEncoding    string            `json:"contentEncoding,omitempty"`
	ContentDisposition string            `json:"contentDisposition,omitempty"`
	ContentLanguage    string            `json:"contentLanguage,omitempty"`
	CacheControl       string            `json:"cacheControl,omitempty"`
	Metadata           map[string]string `json:"metadata,omitempty"`
	StorageClass       string            `json:"storageClass,omitempty"`
	CRC32C             string            `json:"crc32c,omitempty"`

	Generation  string     `json:"generation,omitempty"`
	Etag        string     `json:"etag,omitempty"`
	MD5Hash     string     `json:"md5Hash,omitempty"`
	TimeCreated *time.Time `json:"timeCreated,omitempty"`
}

const resourceFields = "generation,etag,crc32c,md5Hash,timeCreated,storageClass"

// resourceOf returns the resource that a write sends.
func resourceOf(key string, p *storage.Properties) *resource {
	return &resource{
		Name:               key,
		ContentType:        p.ContentType,
		ContentEncoding:    p.ContentEncoding,
		ContentDisposition: p.ContentDisposition,
		ContentLanguage:    p.ContentLanguage,
		CacheControl:       p.CacheControl,
		Metadata:           p.Metadata,
		StorageClass:       p.StorageClass,
	}
}

// attrs returns the attributes in the response to a write.
func (o *resource) attrs() *storage.Attrs {
	md5 := decodeMD5(o.MD5Hash)
	a := &storage.Attrs{
		Properties: storage.Properties{StorageClass: storageClass(o.StorageClass)},
		ETag:       entityTag(md5, o.Etag),
		Revision:   o.Generation,
		Version:    o.Generation,
		CRC32C:     httpheader.DecodeCRC32C(o.CRC32C),
		MD5:        md5,
	}
	if o.TimeCreated != nil {
		a.Modified = modified(*o.TimeCreated)
	}
	return a
}

// attrsOf returns the attributes of an object of the SDK.
func attrsOf(o *gcs.ObjectAttrs) *storage.Attrs {
	crc := o.CRC32C
	return &storage.Attrs{
		Key:  o.Name,
		Size: o.Size,
		Properties: storage.Properties{
			ContentType:        o.ContentType,
			ContentEncoding:    o.ContentEncoding,
			ContentDisposition: o.ContentDisposition,
			ContentLanguage:    o.ContentLanguage,
			CacheControl:       o.CacheControl,
			Metadata:           o.Metadata,
			StorageClass:       storageClass(o.StorageClass),
		},
		ETag:     entityTag(o.MD5, o.Etag),
		Revision: decimal(o.Generation),
		Version:  decimal(o.Generation),
		Modified: modified(o.Created),
		CRC32C:   storage.KnownCRC32C(crc),
		MD5:      o.MD5,
	}
}

// attrsToSet returns the attributes that the SDK sends with a write.
func attrsToSet(p *storage.Properties) gcs.ObjectAttrs {
	return gcs.ObjectAttrs{
		ContentType:        p.ContentType,
		ContentEncoding:    p.ContentEncoding,
		ContentDisposition: p.ContentDisposition,
		ContentLanguage:    p.ContentLanguage,
		CacheControl:       p.CacheControl,
		Metadata:           p.Metadata,
		StorageClass:       p.StorageClass,
	}
}

// entityTag returns the ETag with which the object is served over HTTP, its MD5.
// A composed object, or one with a customer's encryption key, has no MD5: then it
// is the JSON API's ETag with a dash. The JSON API's ETag also changes with the
// metadata.
func entityTag(md5 []byte, etag string) string {
	switch {
	case len(md5) > 0:
		return `"` + hex.EncodeToString(md5) + `"`
	case etag != "":
		return `"-` + etag + `"`
	}
	return ""
}

const standardClass = "STANDARD"

// storageClass returns the provider's class, or "" for its default.
func storageClass(class string) string {
	if class == standardClass {
		return ""
	}
	return class
}

// modified truncates a time to seconds, because listings are more precise than
// headers.
func modified(at time.Time) time.Time { return at.UTC().Truncate(time.Second) }

func decimal(generation int64) string { return strconv.FormatInt(generation, 10) }

func decodeMD5(sum string) []byte {
	raw, err := base64.StdEncoding.DecodeString(sum)
	if err != nil || len(raw) != 16 {
		return nil
	}
	return raw
}
