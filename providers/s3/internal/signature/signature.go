// Package signature makes the signatures of S3's requests, URLs and forms (Signature Version 4).
package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"hash/maphash"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/omnibucket/storage/internal/escape"
)

// These are texts of Signature Version 4:
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html. This package
// makes the same signatures as the SDK's signer. The SDK's signer needs more time for one signature
// than all the rest of a small request needs.
const (
	Service    = "s3"
	Algorithm  = "AWS4-HMAC-SHA256"
	TimeFormat = "20060102T150405Z"
	DayFormat  = "20060102"

	UnsignedPayload = "UNSIGNED-PAYLOAD"
	// UnsignedTrailer is sent in place of the body's SHA-256 if the body has chunks and a trailer.
	UnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	EmptySHA256     = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// A Key signs the requests of one day, credential and region. It does not
// contain the secret.
type Key struct {
	id      keyID
	date    string // "20260304"
	Scope   string // "20260304/eu-west-1/s3/aws4_request"
	query   string // beginning of the query of a signed URL
	signers sync.Pool
}

// A keyID has the values from which a key is made.
type keyID struct {
	accessKey, region string
	secret            uint64 // hash of the secret, by which a changed secret is noticed
	day               int64  // days since 1970
}

// Keys caches the last key: an account usually has one credential and one region.
type Keys struct{ lastKey atomic.Pointer[Key] }

var secretSeed = maphash.MakeSeed()

// Get returns the key for a credential, a region and the day of t. It returns the key of the last
// call again unless one of them differs, because a key costs several HMACs.
func (k *Keys) Get(c *aws.Credentials, region string, t time.Time) *Key {
	const secondsPerDay = 24 * 60 * 60
	id := keyID{
		accessKey: c.AccessKeyID,
		region:    region,
		secret:    maphash.String(secretSeed, c.SecretAccessKey),
		day:       t.Unix() / secondsPerDay,
	}
	if last := k.lastKey.Load(); last != nil && last.id == id {
		return last
	}
	key := newKey(id, c.SecretAccessKey, t.UTC().Format(DayFormat))
	k.lastKey.Store(key)
	return key
}

// newKey returns the key with this id, which it derives from the secret and the date.
func newKey(id keyID, secret, date string) *Key {
	key := &Key{id: id, date: date, Scope: date + "/" + id.region + "/" + Service + "/aws4_request"}
	credential := escape.All(id.accessKey + "/" + key.Scope)
	key.query = "X-Amz-Algorithm=" + Algorithm + "&X-Amz-Credential=" + credential + "&X-Amz-Date="

	// The signing key is a chain of HMACs, each of which has the result of the one before as its key.
	signingKey := []byte("AWS4" + secret)
	for _, part := range []string{date, id.region, Service, "aws4_request"} {
		mac := hmac.New(sha256.New, signingKey)
		mac.Write([]byte(part))
		signingKey = mac.Sum(nil)
	}
	key.signers.New = func() any { return &signer{mac: hmac.New(sha256.New, signingKey)} }
	return key
}

// appendTime appends a time of the key's day in the form "20260304T050607Z".
func (k *Key) appendTime(dst []byte, t time.Time) []byte {
	hour, minute, second := t.Clock()
	dst = append(append(dst, k.date...), 'T')
	for _, n := range [...]int{hour, minute, second} {
		dst = append(dst, byte('0'+n/10), byte('0'+n%10))
	}
	return append(dst, 'Z')
}

// A signer makes one signature at a time. Its buffers are reused for the next signature.
type signer struct {
	mac       hash.Hash
	canonical []byte   // the canonical request
	text      []byte   // a URL, a header or a text to sign
	names     []string // names of the signed headers
	sum       []byte
}

func (k *Key) acquire() *signer  { return k.signers.Get().(*signer) }
func (k *Key) release(s *signer) { k.signers.Put(s) }

// Signature returns the signature of the policy of a form.
func (k *Key) Signature(text string) string {
	s := k.acquire()
	defer k.release(s)
	s.text = append(s.text[:0], text...)
	s.canonical = s.appendSignature(s.canonical[:0], s.text)
	return string(s.canonical)
}

// appendSignature appends the HMAC of a text to dst, in hex.
func (s *signer) appendSignature(dst, text []byte) []byte {
	s.mac.Reset()
	s.mac.Write(text)
	s.sum = s.mac.Sum(s.sum[:0])
	return hex.AppendEncode(dst, s.sum)
}

// appendRequestSignature appends the signature of the request in s.canonical to dst. It overwrites
// s.canonical with the text that is signed: algorithm, time, scope and SHA-256.
func (k *Key) appendRequestSignature(s *signer, dst []byte, t time.Time) []byte {
	digest := sha256.Sum256(s.canonical)
	text := append(s.canonical[:0], Algorithm+"\n"...)
	text = k.appendTime(text, t)
	text = append(text, '\n')
	text = append(text, k.Scope...)
	text = append(text, '\n')
	s.canonical = hex.AppendEncode(text, digest[:])
	return s.appendSignature(dst, s.canonical)
}

// Authorization returns the value of the Authorization header for r. The signature covers every
// header in r.Header.
func (k *Key) Authorization(r *Request) string {
	// s has the buffers of an earlier signature, which this one reuses.
	s := k.acquire()
	defer k.release(s)
	s.collectNames(r)

	// The canonical request is the text of the request that the signature covers.
	s.startCanonical(r.Method)
	s.canonical = append(s.canonical, r.Path...)
	s.canonical = append(s.canonical, '\n')
	s.canonical = append(s.canonical, r.Query...)
	s.finishCanonical(r)

	// The header names the key and the signed headers before the signature.
	text := append(s.text[:0], Algorithm+" Credential="...)
	text = append(text, k.id.accessKey...)
	text = append(text, '/')
	text = append(text, k.Scope...)
	text = append(text, ", SignedHeaders="...)
	text = s.appendNames(text, ";")
	text = append(text, ", Signature="...)
	s.text = k.appendRequestSignature(s, text, r.At)
	return string(s.text)
}

// Presign returns the signed URL of an object, which is valid for the given number of seconds.
// origin is "https://host". The names in r.Query must begin with lower-case letters. token is the
// credential's session token, or "".
func (k *Key) Presign(r *Request, origin, key, token string, seconds int64) string {
	// s has the buffers of an earlier signature, which this one reuses.
	s := k.acquire()
	defer k.release(s)
	s.collectNames(r)

	// Build the URL without its signature.
	text := append(s.text[:0], origin...)
	pathStart := len(text)
	text = append(text, r.Path...)
	text = append(text, '/')
	text = escape.AppendPath(text, key)
	pathEnd := len(text)
	text = append(text, '?')
	queryStart := len(text)

	// The query begins with the signing key and the time, and then has the other parameters in order.
	text = k.appendTime(append(text, k.query...), r.At)
	text = append(text, "&X-Amz-Expires="...)
	text = strconv.AppendInt(text, seconds, 10)
	if token != "" {
		text = append(text, "&X-Amz-Security-Token="...)
		text = escape.AppendAll(text, token)
	}
	text = append(text, "&X-Amz-SignedHeaders="...)
	text = s.appendNames(text, "%3B")
	if r.Query != "" {
		text = append(text, '&')
		text = append(text, r.Query...)
	}

	// The signature covers the path and the query of the URL.
	s.startCanonical(r.Method)
	s.canonical = append(s.canonical, text[pathStart:pathEnd]...)
	s.canonical = append(s.canonical, '\n')
	s.canonical = append(s.canonical, text[queryStart:]...)
	s.finishCanonical(r)

	text = append(text, "&X-Amz-Signature="...)
	s.text = k.appendRequestSignature(s, text, r.At)
	return string(s.text)
}
