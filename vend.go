package storage

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/omnibucket/storage/internal/core/effect"
	"github.com/omnibucket/storage/internal/core/scope"
	"github.com/omnibucket/storage/internal/redact"
)

const (
	minVended = 15 * time.Minute // the shortest session of AWS
	maxVended = 12 * time.Hour   // the longest session of a role of AWS
)

// Rights are what [VendedCredentials] permit for the objects under a prefix. Nothing else is
// permitted: no tags, versions, locks, access control lists, uploads of others, or settings of a
// bucket.
type Rights struct {
	Read  bool // reads objects and their attributes; on MinIO and Azure, noncurrent versions, too
	List  bool // lists objects under the prefix
	Write bool // stores and replaces objects; on Google, replacing needs Remove, too
	// Remove removes objects. On Google, it can only be given together with Write.
	Remove bool
}

// Vend returns temporary credentials with which a client uses the objects under a prefix directly
// at the store. A client in Go passes them to the function Vended of the provider's
// package, and sets Config.CredentialsFor to the result. A bucket in memory or in a directory
// accepts them through package layers/vended.
//
// The prefix is "" for the whole bucket, or ends in "/". If b comes from [Prefixed], Vend adds
// the prefix of b. ttl is from 15 minutes to 12 hours, but the credentials expire earlier if the
// store has a shorter limit, or if the credentials that sign them expire earlier.
//
// Like a signed URL, the credentials bypass hooks, and layers such as limits. A hook sees only the
// call of Vend, with the effects that the rights permit.
//
// If the store's policies cannot express the prefix because of its length or a character, Vend
// fails with InvalidArgument. If [Ref] has narrowed b, Vend fails with PermissionDenied. If the
// bucket lacks [Vending], or cannot permit exactly these rights for this prefix and time, Vend
// fails with Unsupported. MinIO cannot limit List to a prefix.
func Vend(ctx context.Context, b Bucket, prefix string, rights Rights, ttl time.Duration) (*VendedCredentials, error) {
	f, err := frontOf(b, "Vend", prefix)
	if err != nil {
		return nil, err
	}
	wholePrefix := f.scope.Prefix + prefix // with the prefix of Prefixed
	if err := f.checkVend(wholePrefix, rights, ttl); err != nil {
		// Hooks also see a call that is refused.
		permitted := effect.Vended(rights.Read, rights.List, rights.Write, rights.Remove)
		op := Operation{Name: "Vend", Key: wholePrefix, Effects: Effects(permitted)}
		return nil, f.refuse(ctx, op, locateError(f, "Vend", prefix, err))
	}

	vended, err := f.core.Vend(ctx, wholePrefix, rights, ttl)
	return resultOrError(f, vended, err, "Vend", prefix)
}

// checkVend returns an error if f may not vend credentials, or if an argument is invalid.
func (f *front) checkVend(prefix string, rights Rights, ttl time.Duration) *Error {
	if err := f.checkAllowed(scope.Everything, nil); err != nil {
		return err
	}
	if prefix != "" {
		if err := checkPrefix(prefix); err != nil {
			return err
		}
	}
	if rights == (Rights{}) {
		return invalid("rights", "must have at least one right")
	}
	if ttl < minVended || ttl > maxVended {
		return invalid("ttl", "must be from 15 minutes to 12 hours")
	}
	return nil
}

// VendedCredentials are temporary credentials for the objects under a prefix. Their JSON form is
// for the client, and contains the secrets. Their text form for logs shows no secret. A JSON
// handler of package log/slog uses the JSON form for credentials inside a struct, map or slice: log
// the credentials themselves.
type VendedCredentials struct {
	Provider string    `json:"provider"` // such as "s3"
	Bucket   string    `json:"bucket"`
	Prefix   string    `json:"prefix"`  // including the prefix of a [Prefixed] bucket
	Expires  time.Time `json:"expires"` // UTC

	// The next three fields are only set for S3.
	AccessKeyID  string `json:"accessKeyId,omitempty"`
	SecretKey    string `json:"secretKey,omitempty"`
	SessionToken string `json:"sessionToken,omitempty"`
	// Token is Google's access token, Azure's shared access signature, or the token of package layers/vended.
	Token string `json:"token,omitempty"`
}

// Format writes the fields that are set, without the secrets, for every verb.
func (v VendedCredentials) Format(s fmt.State, _ rune) {
	redact.Fields(s, v, "SecretKey", "SessionToken", "Token")
}

// String returns the text of Format.
func (v VendedCredentials) String() string { return fmt.Sprint(v) }

// LogValue returns the text of Format.
func (v VendedCredentials) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(v)) }
