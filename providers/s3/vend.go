package s3

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/permissions"
	"github.com/omnibucket/storage/providers/internal/vended"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
)

// Vended returns a function for [Config].CredentialsFor that asks vend for the credentials of a key, or
// of the prefix of a listing. vend must return what [storage.Vend] returned for that key or prefix in
// another program, and it must return when its context ends:
//
//	bucket, err := s3.Open(ctx, s3.Config{Bucket: "photos", CredentialsFor: s3.Vended(vend)})
//
// If the credentials are not of S3, the returned function fails with InvalidArgument, and the
// client's request fails with Unauthenticated.
func Vended(
	vend func(ctx context.Context, key string) (*storage.VendedCredentials, error),
) func(ctx context.Context, key string) (PrefixCredentials, error) {
	return func(ctx context.Context, key string) (PrefixCredentials, error) {
		creds, err := vend(ctx, key)
		if err != nil {
			return PrefixCredentials{}, err
		}
		if err := vended.CheckProvider(creds, provider); err != nil {
			return PrefixCredentials{}, err
		}
		return PrefixCredentials{
			Prefix:       creds.Prefix,
			AccessKeyID:  creds.AccessKeyID,
			SecretKey:    creds.SecretKey,
			SessionToken: creds.SessionToken,
			Expires:      creds.Expires,
		}, nil
	}
}

// maxSessionPolicy is the largest number of characters in the policy of a session. AWS also
// compresses the policy, and limits the result.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
const maxSessionPolicy = 2048

// noRole is a role for servers that need none, because the SDK requires a role.
const noRole = "arn:aws:iam::123456789012:role/omnibucket"

// Vend gets temporary credentials with an AssumeRole, from AWS STS or from the endpoint of another
// server. Before it returns a right to list a prefix, such a server must pass probeListings.
func (d *objectDriver) Vend(ctx context.Context, r *driver.VendRequest) (*storage.VendedCredentials, error) {
	policy, err := d.bucket.sessionPolicy(r)
	if err != nil {
		return nil, err
	}

	a := d.account
	role := a.vendRole
	if role == "" {
		role = noRole
	}
	output, err := a.newSTSClient().AssumeRole(ctx, &sts.AssumeRoleInput{
		RoleArn:         &role,
		RoleSessionName: aws.String("omnibucket"),
		Policy:          &policy,
		DurationSeconds: aws.Int32(int32(r.TTL / time.Second)),
	})
	if err != nil {
		return nil, sessionError(err)
	}

	if err := checkSession(output.Credentials, a.clock.Now()); err != nil {
		return nil, err
	}
	v := &storage.VendedCredentials{
		AccessKeyID:  *output.Credentials.AccessKeyId,
		SecretKey:    *output.Credentials.SecretAccessKey,
		SessionToken: *output.Credentials.SessionToken,
		Expires:      *output.Credentials.Expiration,
	}
	if d.bucket.probesListings(r) {
		if err := d.probeListings(ctx, v, r.Prefix); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// checkSession returns an error unless the credentials of a session are complete and still valid.
func checkSession(c *types.Credentials, now time.Time) error {
	if c == nil || aws.ToString(c.AccessKeyId) == "" || aws.ToString(c.SecretAccessKey) == "" ||
		aws.ToString(c.SessionToken) == "" || c.Expiration == nil {
		return &storage.Error{
			Code: storage.Internal,
			Err:  errors.New("the response to AssumeRole has no complete credentials"),
		}
	}
	if !c.Expiration.After(now) {
		return &storage.Error{
			Code: storage.Internal,
			Err:  errors.New("the credentials in the response to AssumeRole have expired"),
			Hint: "check the clocks of this machine and of the server",
		}
	}
	return nil
}

// newSTSClient returns a client for AssumeRole, the operation that makes temporary credentials. It
// calls AWS STS in the region of the bucket, or the endpoint of a server other than Amazon's.
func (a *account) newSTSClient() *sts.Client {
	s3Options := a.client.Options()
	o := sts.Options{
		Region:      a.region,
		Credentials: a.credentials,
		HTTPClient:  s3Options.HTTPClient,
		Retryer:     aws.NopRetryer{},
	}

	// STS gets the same kind of endpoint as S3.
	o.EndpointOptions.UseFIPSEndpoint = s3Options.EndpointOptions.UseFIPSEndpoint
	o.EndpointOptions.UseDualStackEndpoint = s3Options.EndpointOptions.UseDualStackEndpoint
	if !a.isAmazon() && a.endpoint != nil {
		o.BaseEndpoint = aws.String(a.endpoint.String())
	}
	return sts.New(o)
}

// sessionPolicy returns the policy that permits what r asks for, in as few characters as possible.
func (b *bucket) sessionPolicy(r *driver.VendRequest) (string, error) {
	operations, err := permissions.Parse(operationNames(r.Rights)...)
	if err != nil {
		return "", err
	}

	grant := permissions.Grant{Operations: operations, Bucket: b.name, Prefix: r.Prefix}
	system := permissions.AWS
	limitsListings := b.probesListings(r)
	if b.account.isAmazon() {
		grant.Region = b.account.region
	} else if !limitsListings {
		// Servers other than Amazon's do not support the escapes in Amazon's policies.
		system = permissions.MinIO
	}
	// Package permissions limits listings to the prefix only in Amazon's policy, which needs escapes for
	// these characters.
	if limitsListings && strings.ContainsAny(r.Prefix, "*?$") {
		return "", argument.Invalid("prefix", `must not contain "*", "?" or "$", which not all servers can escape`, "")
	}
	documents, err := grant.Documents(system)
	if err != nil {
		return "", err
	}

	// A session's policy must be short.
	var policy bytes.Buffer
	if err := json.Compact(&policy, []byte(documents[0].Text)); err != nil {
		return "", err
	}
	if policy.Len() > maxSessionPolicy {
		return "", argument.Invalid(
			"prefix",
			fmt.Sprintf("must be shorter: a session's policy has at most %d characters", maxSessionPolicy),
			"",
		)
	}
	return policy.String(), nil
}

// operationNames returns the operations that the rights permit, by their names in package permissions.
func operationNames(rights storage.Rights) []string {
	var names []string
	for _, right := range []struct {
		isVended   bool
		operations []string
	}{
		{isVended: rights.Read, operations: []string{"download"}},
		{isVended: rights.List, operations: []string{"list"}},
		{isVended: rights.Write, operations: []string{"upload", "upload-over", "upload-parts-failed"}},
		{isVended: rights.Remove, operations: []string{"remove", "remove-all"}},
	} {
		if right.isVended {
			names = append(names, right.operations...)
		}
	}
	return names
}

// sessionMeanings has the meanings of STS error codes that S3 does not have, or that need another
// hint.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html#API_AssumeRole_Errors
var sessionMeanings = map[string]sdkerror.Meaning{
	"AccessDenied": {
		Code: storage.PermissionDenied,
		Hint: "the credentials may not assume the role: permit sts:AssumeRole in their policy and in the role's " +
			"trust policy",
	},
	"ValidationError": {
		Code: storage.InvalidArgument,
		Hint: "check Config.VendRole, and that ttl is not longer than the role's longest session",
	},
	"PackedPolicyTooLarge":    {Code: storage.InvalidArgument, Hint: "use a shorter prefix"},
	"MalformedPolicyDocument": {Code: storage.Internal},
	"RegionDisabledException": {Code: storage.Unsupported, Hint: "activate STS in this region of the account"},
	"InvalidClientTokenId": {
		Code: storage.Unauthenticated,
		Hint: "the store does not know the access key, or it is a session, which cannot vend",
	},
}

// sessionError translates an error of AssumeRole, whose codes may have another meaning than in S3.
func sessionError(err error) error {
	storageErr := s3error.Of(err)
	code, _ := s3error.CodeAndMessage(err)
	if m, ok := sessionMeanings[code]; ok {
		storageErr.Code = m.Code
		storageErr.Hint = m.Hint
		storageErr.Retryable = false
	}
	return storageErr
}
