package request

import (
	"github.com/omnibucket/storage/s3server/internal/policy"
	"github.com/omnibucket/storage/s3server/internal/sign"
)

// A Caller is the sender of a request, after the request's signature was verified.
type Caller struct {
	Anonymous   bool
	AccessKey   string
	Account     string // "" if anonymous
	ReadOnly    bool
	IsTemporary bool           // true if the key is of a session of AssumeRole
	Session     *policy.Policy // policy of the session; nil if there is none
	Algorithm   string         // algorithm of the signature, such as AWS4-HMAC-SHA256
	Seal        sign.Seal      // signature and its key, with which the chunks of the body are verified
}
