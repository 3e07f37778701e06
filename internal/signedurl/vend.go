package signedurl

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A VendedGrant is what a client with vended credentials may do. The token of the credentials
// contains it as JSON.
type VendedGrant struct {
	Bucket  string         `json:"bucket"`
	Prefix  string         `json:"prefix"`
	Rights  storage.Rights `json:"rights"`
	Expires int64          `json:"expires"` // Unix time in seconds at which the grant ends
}

// vendedText is the first text that the signature of a token covers. Other signatures begin with
// other texts, so that none of them is valid for a token.
const vendedText = "omnibucket vended 1"

// Vend returns credentials for the named bucket, with a token that the first key of k has signed.
func Vend(k Keys, bucket string, r *driver.VendRequest, now time.Time) (*storage.VendedCredentials, error) {
	if k.Empty() {
		return nil, storage.Unsupported
	}

	grant := VendedGrant{
		Bucket:  bucket,
		Prefix:  r.Prefix,
		Rights:  r.Rights,
		Expires: now.Add(r.TTL).Unix(),
	}
	text, err := json.Marshal(grant)
	if err != nil {
		return nil, err
	}

	content := base64.RawURLEncoding.EncodeToString(text)
	signer := k.all[0]
	return &storage.VendedCredentials{
		Expires: time.Unix(grant.Expires, 0),
		Token:   content + "." + signer.id + "." + signer.sign(vendedText, content),
	}, nil
}

// VerifyVended verifies a token for the named bucket, and returns what it permits. The status is
// [Expired] only if the signature is valid.
func VerifyVended(k Keys, bucket, token string, now time.Time) (*VendedGrant, Status) {
	content, rest, _ := strings.Cut(token, ".")
	id, signature, _ := strings.Cut(rest, ".")
	key, ok := k.find(id)
	if !ok || !key.verify(signature, vendedText, content) {
		return nil, Invalid
	}

	grant := &VendedGrant{}
	text, err := base64.RawURLEncoding.DecodeString(content)
	if err != nil || json.Unmarshal(text, grant) != nil || grant.Bucket != bucket {
		return nil, Invalid
	}
	if now.Unix() >= grant.Expires {
		return nil, Expired
	}
	return grant, Valid
}
