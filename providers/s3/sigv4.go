package s3

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
)

// Signature Version 4, as it is written down in
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html.
// The SDK's signer makes the same signatures; one of its takes longer than all
// else that a small request costs.
const (
	signingService   = "s3"
	signingAlgorithm = "AWS4-HMAC-SHA256"
	amzTime          = "20060102T150405Z"
	amzDay           = "20060102"

	unsignedPayload = "UNSIGNED-PAYLOAD"
	emptySHA256     = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// A signingKey is what a day's requests of one credential to one region are
// signed with. The secret cannot be had from it.
type signingKey struct {
	accessKey, region string
	secret            uint64 // a fingerprint, by which another secret is noticed
	day               int64  // since 1970
	date              string // the same day: "20260304"
	scope             string // "20260304/eu-west-1/s3/aws4_request"
	query             string // with which the query of a signed address begins
	signers           sync.Pool
}

// signingKeys keeps the last key: an account has one credential and one region.
type signingKeys struct{ last atomic.Pointer[signingKey] }

var fingerprints = maphash.MakeSeed()

func (k *signingKeys) of(c *aws.Credentials, region string, at time.Time) *signingKey {
	day, secret := at.Unix()/(24*60*60), maphash.String(fingerprints, c.SecretAccessKey)
	if last := k.last.Load(); last != nil && last.day == day && last.secret == secret && last.accessKey == c.AccessKeyID && last.region == region {
		return last
	}
	date := at.UTC().Format(amzDay)
	key := &signingKey{
		accessKey: c.AccessKeyID, region: region, secret: secret, day: day, date: date,
		scope: date + "/" + region + "/" + signingService + "/aws4_request",
	}
	credential := appendEscaped(nil, c.AccessKeyID+"/"+key.scope)
	key.query = "X-Amz-Algorithm=" + signingAlgorithm + "&X-Amz-Credential=" + string(credential) + "&X-Amz-Date="
	derived := []byte("AWS4" + c.SecretAccessKey)
	for _, step := range []string{date, region, signingService, "aws4_request"} {
		h := hmac.New(sha256.New, derived)
		h.Write([]byte(step))
		derived = h.Sum(nil)
	}
	key.signers.New = func() any { return &signer{mac: hmac.New(sha256.New, derived)} }
	k.last.Store(key)
	return key
}

// appendTime appends the time as a signature has it: "20260304T050607Z". It is
// one of the key's day.
func (k *signingKey) appendTime(dst []byte, at time.Time) []byte {
	hour, minute, second := at.Clock()
	dst = append(append(dst, k.date...), 'T')
	for _, n := range [...]int{hour, minute, second} {
		dst = append(dst, byte('0'+n/10), byte('0'+n%10))
	}
	return append(dst, 'Z')
}

// A signer makes one signature at a time, in memory of its own.
type signer struct {
	mac       hash.Hash
	canonical []byte   // the request as it is signed
	text      []byte   // what else is built: an address, or what the signature is of
	names     []string // of signed headers
	sum       []byte
}

func (k *signingKey) take() *signer  { return k.signers.Get().(*signer) }
func (k *signingKey) give(s *signer) { k.signers.Put(s) }

// signature is that of a text, as a form has it.
func (k *signingKey) signature(text string) string {
	s := k.take()
	defer k.give(s)
	s.text = append(s.text[:0], text...)
	s.canonical = s.ofText(s.canonical[:0], s.text)
	return string(s.canonical)
}

// ofText appends the signature of a text to dst.
func (s *signer) ofText(dst, text []byte) []byte {
	s.mac.Reset()
	s.mac.Write(text)
	s.sum = s.mac.Sum(s.sum[:0])
	return hex.AppendEncode(dst, s.sum)
}

// ofCanonical appends the signature of s.canonical to dst.
func (k *signingKey) ofCanonical(s *signer, dst []byte, at time.Time) []byte {
	digest := sha256.Sum256(s.canonical)
	text := append(s.canonical[:0], signingAlgorithm+"\n"...)
	text = k.appendTime(text, at)
	text = append(text, '\n')
	text = append(text, k.scope...)
	text = append(text, '\n')
	s.canonical = hex.AppendEncode(text, digest[:])
	return s.ofText(dst, s.canonical)
}

// authorize returns the header that signs r: all of r.header.
func (k *signingKey) authorize(r *signedRequest) string {
	s := k.take()
	defer k.give(s)
	s.listNames(r)
	s.begin(r.method)
	s.canonical = append(s.canonical, r.path...)
	s.canonical = append(s.canonical, '\n')
	s.canonical = append(s.canonical, r.query...)
	s.end(r)

	text := append(s.text[:0], signingAlgorithm+" Credential="...)
	text = append(text, k.accessKey...)
	text = append(text, '/')
	text = append(text, k.scope...)
	text = append(text, ", SignedHeaders="...)
	text = s.appendNames(text, ";")
	text = append(text, ", Signature="...)
	s.text = k.ofCanonical(s, text, r.at)
	return string(s.text)
}

// presign returns the address of a key at r's origin, "https://host", good for
// so many seconds. The names in r.query begin with small letters. A token is the
// credential's, or "".
func (k *signingKey) presign(r *signedRequest, origin, key, token string, seconds int64) string {
	s := k.take()
	defer k.give(s)
	s.listNames(r)
	text := append(s.text[:0], origin...)
	path := len(text)
	text = append(append(text, r.path...), '/')
	text = appendEscapedBut(text, key, '/')
	text = append(text, '?')
	query := len(text)
	text = k.appendTime(append(text, k.query...), r.at)
	text = append(text, "&X-Amz-Expires="...)
	text = strconv.AppendInt(text, seconds, 10)
	if token != "" {
		text = append(text, "&X-Amz-Security-Token="...)
		text = appendEscaped(text, token)
	}
	text = append(text, "&X-Amz-SignedHeaders="...)
	text = s.appendNames(text, "%3B")
	if r.query != "" {
		text = append(text, '&')
		text = append(text, r.query...)
	}

	s.begin(r.method)
	s.canonical = append(s.canonical, text[path:query-1]...)
	s.canonical = append(s.canonical, '\n')
	s.canonical = append(s.canonical, text[query:]...)
	s.end(r)
	text = append(text, "&X-Amz-Signature="...)
	s.text = k.ofCanonical(s, text, r.at)
	return string(s.text)
}
