package access

import (
	"strings"

	"github.com/omnibucket/storage/s3server/internal/policy"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/session"
	"github.com/omnibucket/storage/s3server/internal/sign"
)

// stsService is the service for which a request to STS is signed.
const stsService = "sts"

// signedService returns the name of the service for which the request must be signed. The scope of
// the signature contains that name.
func signedService(r *request.Request) string {
	if r.Operation == "AssumeRole" {
		return stsService
	}
	return sign.Service
}

// identify returns the caller to whom an access key and a session token belong, and the secret of
// the key. It verifies the session token, but not the signature of the request.
func identify(r *request.Request, accessKey, token string) (request.Caller, string, error) {
	if _, isRoot := r.Server.Keys.Parent(accessKey); isRoot || !strings.HasPrefix(accessKey, session.KeyPrefix) {
		c, err := r.Server.Keys.Find(accessKey, token)
		return request.Caller{AccessKey: accessKey, Account: c.Account, ReadOnly: c.ReadOnly}, c.SecretKey, err
	}
	if token == "" { // as on AWS, a temporary key is unknown without its token
		return request.Caller{}, "", s3error.New("InvalidAccessKeyId", "AWSAccessKeyId", accessKey)
	}
	invalid := s3error.New("InvalidToken", "Token-0", token)
	s, ok := session.Read(token)
	parent, hasParent := r.Server.Keys.Parent(s.Parent)
	if !ok || !hasParent || s.AccessKeyID != accessKey || !session.Verify(token, parent.SecretKey) {
		return request.Caller{}, "", invalid
	}
	if r.Now().Unix() >= s.Expires {
		return request.Caller{}, "", s3error.New("ExpiredToken", "Token-0", token)
	}
	c := request.Caller{AccessKey: accessKey, Account: parent.Account, ReadOnly: parent.ReadOnly, IsTemporary: true}
	if s.Policy != "" {
		var err error
		if c.Session, err = policy.ParseSession([]byte(s.Policy)); err != nil {
			return request.Caller{}, "", invalid // the policy is one that only an earlier version of the server accepted
		}
	}
	return c, session.SecretKey(token, parent.SecretKey), nil
}
