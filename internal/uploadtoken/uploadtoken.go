// Package uploadtoken encodes the state of a multipart upload in a token, with which another
// process can continue the upload.
//
// A token is the base64 encoding for URLs of a version, the first bytes of a SHA-256 checksum, and
// a [Record] in JSON. The checksum shows whether a token was truncated or mistyped. It is not a
// signature: any program that may write to the bucket can make a token.
package uploadtoken

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

const (
	version   = 1
	sumBytes  = 8
	maxLength = 32 << 10
)

// OtherBucket is the text of the error for a token that belongs to another bucket, or for a token
// whose key does not have the prefix of the bucket.
const OtherBucket = "must be of an upload to this bucket"

// A Record holds everything that another process needs to continue an upload. It contains no
// secrets. Native options are stored only as a hash of their fingerprints.
type Record struct {
	Bucket    string            `json:"b"` // identifies the provider, the location and the bucket
	Key       string            `json:"k"` // key in the whole bucket, including the prefix of a narrowed bucket
	Upload    string            `json:"u"` // driver's name of the upload
	WriteID   string            `json:"w,omitempty"`
	Type      string            `json:"t,omitempty"`
	Encoding  string            `json:"te,omitempty"`
	Named     string            `json:"td,omitempty"` // Content-Disposition
	Language  string            `json:"tl,omitempty"`
	Cache     string            `json:"tc,omitempty"`
	Class     string            `json:"ts,omitempty"`
	Metadata  map[string]string `json:"m,omitempty"` // metadata that the user set
	Tags      map[string]string `json:"g,omitempty"`
	Mode      string            `json:"rm,omitempty"` // mode of the retention
	Until     int64             `json:"ru,omitempty"` // end of the retention as Unix time in seconds
	Hold      bool              `json:"h,omitempty"`
	Public    bool              `json:"p,omitempty"`
	Absent    bool              `json:"a,omitempty"`
	Revision  string            `json:"r,omitempty"` // revision in the form that the driver uses
	Size      *int64            `json:"s,omitempty"` // declared size in bytes, or nil if none was declared
	MaxSize   int64             `json:"x,omitempty"`
	CRC32C    *uint32           `json:"c,omitempty"`
	Unchecked bool              `json:"q,omitempty"`
	Natives   string            `json:"n,omitempty"`
	Listed    bool              `json:"l,omitempty"` // true if the upload was found in a listing
}

// DeclaredSize returns the declared size in bytes, or -1 if none was declared.
func (r *Record) DeclaredSize() int64 {
	if r.Size == nil {
		return -1
	}
	return *r.Size
}

// Token encodes the Record as a token.
func (r *Record) Token() string {
	text, _ := json.Marshal(r) // Marshal never fails for strings and numbers
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(append(append([]byte{version}, sum[:sumBytes]...), text...))
}

// Parse decodes a token. ok is false if the token is not a result of [Record.Token].
func Parse(token string) (r Record, ok bool) {
	if len(token) > maxLength {
		return r, false
	}

	// A token is a byte with its version, a checksum, and a document.
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < 1+sumBytes || raw[0] != version {
		return r, false
	}
	checksum := raw[1 : 1+sumBytes]
	document := raw[1+sumBytes:]
	sum := sha256.Sum256(document)
	if !bytes.Equal(sum[:sumBytes], checksum) {
		return r, false
	}

	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return Record{}, false
	}
	return r, true
}

// Hash returns a hash of texts as a short text, which is the same in every process.
func Hash(texts ...string) string {
	h := sha256.New()
	for _, text := range texts {
		_, _ = fmt.Fprintf(h, "%d:%s", len(text), text)
	}
	const hashBytes = 9
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:hashBytes])
}
