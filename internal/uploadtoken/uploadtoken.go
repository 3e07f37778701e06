// Package uploadtoken writes and reads tokens, by which another process continues a multipart
// upload.
//
// A token is a version, the start of a SHA-256 and a [Record] in JSON, in base64 for URLs. The
// checksum finds a token that was cut or mistyped. It is no signature: a program that may write to
// the bucket can make a token.
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

// OtherBucket says why a token of another bucket, or of a key outside of the prefix, is refused.
const OtherBucket = "must be of an upload to this bucket"

// A Record is all that another process needs to continue an upload. It has no secret. Native
// options are recorded only as a hash of their fingerprints.
type Record struct {
	Bucket    string            `json:"b"` // identifies provider, location and bucket
	Key       string            `json:"k"` // the whole key, with the prefix of a narrowed bucket
	Upload    string            `json:"u"` // the driver's name
	WriteID   string            `json:"w,omitempty"`
	Type      string            `json:"t,omitempty"`
	Encoding  string            `json:"te,omitempty"`
	Named     string            `json:"td,omitempty"` // Content-Disposition
	Language  string            `json:"tl,omitempty"`
	Cache     string            `json:"tc,omitempty"`
	Class     string            `json:"ts,omitempty"`
	Metadata  map[string]string `json:"m,omitempty"` // the user's
	Tags      map[string]string `json:"g,omitempty"`
	Mode      string            `json:"rm,omitempty"` // retention
	Until     int64             `json:"ru,omitempty"` // Unix time in seconds
	Hold      bool              `json:"h,omitempty"`
	Public    bool              `json:"p,omitempty"`
	Absent    bool              `json:"a,omitempty"`
	Revision  string            `json:"r,omitempty"` // the driver's
	Size      *int64            `json:"s,omitempty"` // nil if it is not declared
	MaxSize   int64             `json:"x,omitempty"`
	CRC32C    *uint32           `json:"c,omitempty"`
	Unchecked bool              `json:"q,omitempty"`
	Natives   string            `json:"n,omitempty"`
	Listed    bool              `json:"l,omitempty"` // the upload was found in a listing
}

// DeclaredSize returns the declared size in bytes, or -1.
func (r *Record) DeclaredSize() int64 {
	if r.Size == nil {
		return -1
	}
	return *r.Size
}

// Token returns the token of the record.
func (r *Record) Token() string {
	text, _ := json.Marshal(r) // strings and numbers: never fails
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(append(append([]byte{version}, sum[:sumBytes]...), text...))
}

// Parse returns the record of a token. ok is false if [Record.Token] has not made the token.
func Parse(token string) (r Record, ok bool) {
	if len(token) > maxLength {
		return r, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < 1+sumBytes || raw[0] != version {
		return r, false
	}
	text := raw[1+sumBytes:]
	if sum := sha256.Sum256(text); !bytes.Equal(sum[:sumBytes], raw[1:1+sumBytes]) {
		return r, false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return r, d.Decode(&r) == nil
}

// Hash returns a few characters that identify texts, in every process.
func Hash(texts ...string) string {
	h := sha256.New()
	for _, text := range texts {
		_, _ = fmt.Fprintf(h, "%d:%s", len(text), text)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:9])
}
