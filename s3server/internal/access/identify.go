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

// signedService returns the name of the service for which the request must be signed.
func signedService(r *request.Request) string {
	if r.Operation == "AssumeRole" {
		return stsService
	}
	return sign.Service
}

// identify returns the caller to whom an access key and a session token belong, and the secret of the key. It verifies
// the token, but not the signature of the request.
func identify(r *request.Request, accessKey, token string) (request.Caller, string, error) {
	// A key in the server's configuration may also begin with the prefix of session keys.
	_, isOwn := r.Server.Keys.Parent(accessKey)
	if !isOwn && strings.HasPrefix(accessKey, session.KeyPrefix) {
		return identifySession(r, accessKey, token)
	}
	c, err := r.Server.Keys.Find(accessKey, token)
	if err != nil {
		return request.Caller{}, "", err
	}
	return request.Caller{AccessKey: accessKey, Account: c.Account, ReadOnly: c.ReadOnly}, c.SecretKey, nil
}

// identifySession identifies the caller that uses a temporary key, which AssumeRole has made, and returns the key's
// secret. The token names the parent, which is the credential that called AssumeRole.
func identifySession(r *request.Request, accessKey, token string) (request.Caller, string, error) {
	if token == "" {
		// As on AWS, a temporary key is unknown without its token.
		return request.Caller{}, "", s3error.New("InvalidAccessKeyId", "AWSAccessKeyId", accessKey)
	}

	// The token is valid only if it is of this key and signed with the parent's secret.
	errInvalid := s3error.New("InvalidToken", "Token-0", token)
	s, ok := session.Read(token)
	if !ok || s.AccessKeyID != accessKey {
		return request.Caller{}, "", errInvalid
	}
	parent, ok := r.Server.Keys.Parent(s.Parent)
	if !ok || !session.Verify(token, parent.SecretKey) {
		return request.Caller{}, "", errInvalid
	}

	isExpired := r.Now().Unix() >= s.Expires
	if isExpired {
		return request.Caller{}, "", s3error.New("ExpiredToken", "Token-0", token)
	}

	// The session has the rights of its parent, which its own policy may restrict.
	caller := request.Caller{
		AccessKey:   accessKey,
		Account:     parent.Account,
		ReadOnly:    parent.ReadOnly,
		IsTemporary: true,
	}
	if s.Policy != "" {
		var err error
		caller.Session, err = policy.ParseSession([]byte(s.Policy))
		if err != nil {
			return request.Caller{}, "", errInvalid // only an earlier version of the server accepted the policy
		}
	}
	return caller, session.SecretKey(token, parent.SecretKey), nil
}
