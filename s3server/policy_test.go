package s3server_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// allowPublicAccess removes the blocks by which a strict server refuses policies and access lists
// that make a bucket public.
func (s *store) allowPublicAccess(t *testing.T) {
	t.Helper()
	_, err := s.DeletePublicAccessBlock(t.Context(), &s3.DeletePublicAccessBlockInput{
		Bucket: aws.String(bucket),
	})
	require.NoError(t, err)
}

// setPolicy sets the policy of the bucket.
func (s *store) setPolicy(document string) error {
	_, err := s.PutBucketPolicy(context.Background(), &s3.PutBucketPolicyInput{
		Bucket: aws.String(bucket),
		Policy: &document,
	})
	return err
}

// sendAs sends a request that one of the keys of twoAccounts signs. If key is nobody, the request has no
// signature.
func (s *store) sendAs(
	t *testing.T, key int, method, path, body string, header map[string]string,
) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.server.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	for name, value := range header {
		r.Header.Set(name, value)
	}

	if key != nobody {
		c := twoAccounts[key]
		r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		credentials := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretKey}
		signer := v4.NewSigner(func(o *v4.SignerOptions) {
			o.DisableURIPathEscaping = true
		})
		err = signer.SignHTTP(t.Context(), credentials, r, "UNSIGNED-PAYLOAD", "s3", "us-east-1", time.Now())
		require.NoError(t, err)
	}

	response, err := s.http.Do(r)
	require.NoError(t, err)
	defer func() {
		require.NoError(t, response.Body.Close())
	}()
	data, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response, string(data)
}

// These constants tell which key signs a request: they are indexes of twoAccounts. The request of
// nobody has no signature.
const (
	ownerKey    = 0
	otherKey    = 1
	readOnlyKey = 2
	nobody      = -1
)

const (
	inBucket = `"arn:aws:s3:::photos"`
	inKeys   = `"arn:aws:s3:::photos/*"`
	allowGet = `{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":` + inKeys + `}`
)

// policyOf returns a policy with these statements, and without a version.
func policyOf(statements ...string) string {
	return `{"Statement":[` + strings.Join(statements, ",") + `]}`
}

// policy2012 returns a policy with these statements, in the version 2012-10-17 of the policy language.
func policy2012(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// allowStatement returns an Allow for everyone.
func allowStatement(action, resource, condition string) string {
	return statement("Allow", action, resource, condition)
}

// denyStatement returns a Deny for everyone.
func denyStatement(action, resource, condition string) string {
	return statement("Deny", action, resource, condition)
}

// statement returns a statement for everyone, with a condition if it is not "".
func statement(effect, action, resource, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return fmt.Sprintf(`{"Effect":%q,"Principal":"*","Action":%q,"Resource":%s%s}`, effect, action,
		resource, condition)
}

// A policyTest is a request to a bucket with a policy.
type policyTest struct {
	name       string
	statements string // of the policy, separated by commas
	signer     int    // ownerKey, otherKey or nobody
	method     string
	path       string
	header     map[string]string
	status     int
}

// runPolicyTests sends each request to a bucket with the policy of its test. The bucket has the
// objects "k" and "tagged". The object "tagged" has the tag kind=public.
func runPolicyTests(t *testing.T, tests []policyTest) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startServer(t, s3server.Config{Credentials: twoAccounts})
			s.allowPublicAccess(t)
			s.put(t, "k", "content")
			tagged := putInput("tagged", "content")
			tagged.Tagging = aws.String("kind=public")
			_, err := s.PutObject(t.Context(), tagged)
			require.NoError(t, err)
			require.NoError(t, s.setPolicy(policy2012(tt.statements)))

			response, body := s.sendAs(t, tt.signer, tt.method, tt.path, "", tt.header)
			require.Equal(t, tt.status, response.StatusCode, body)
		})
	}
}

// A request succeeds if a statement of the bucket's policy allows it and none denies it. The owner needs no Allow, and
// can always read the policy. All requests come without TLS.
func TestPolicyDecides(t *testing.T) {
	denyWithoutTLS := allowGet + "," + denyStatement("s3:*", inKeys, `{"Bool":{"aws:SecureTransport":"false"}}`)
	denyAllButOwner := allowGet + `,{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::123456789012:root"},` +
		`"Action":"s3:*","Resource":` + inKeys + `}`
	runPolicyTests(t, []policyTest{
		{
			name:       "Allow",
			statements: allowGet,
			signer:     nobody,
			method:     "GET",
			path:       "/photos/k",
			status:     200,
		},
		{
			name:       "Allow, other account",
			statements: allowGet,
			signer:     otherKey,
			method:     "GET",
			path:       "/photos/k",
			status:     200,
		},
		{
			name:       "Allow of another operation",
			statements: allowGet,
			signer:     nobody,
			method:     "PUT",
			path:       "/photos/k",
			status:     403,
		},
		{
			name:       "no Allow",
			statements: allowGet,
			signer:     otherKey,
			method:     "GET",
			path:       "/photos?versioning",
			status:     403,
		},
		{
			name:       "Deny without TLS",
			statements: denyWithoutTLS,
			signer:     nobody,
			method:     "GET",
			path:       "/photos/k",
			status:     403,
		},
		{
			name:       "Deny without TLS, owner",
			statements: denyWithoutTLS,
			signer:     ownerKey,
			method:     "GET",
			path:       "/photos/k",
			status:     403,
		},
		{
			name:       "Deny with TLS, request without",
			statements: allowGet + "," + denyStatement("s3:*", inKeys, `{"Bool":{"aws:SecureTransport":true}}`),
			signer:     nobody,
			method:     "GET",
			path:       "/photos/k",
			status:     200,
		},
		{
			name:       "Deny of all but the owner",
			statements: denyAllButOwner,
			signer:     nobody,
			method:     "GET",
			path:       "/photos/k",
			status:     403,
		},
		{
			name:       "Deny of all but the owner, owner",
			statements: denyAllButOwner,
			signer:     ownerKey,
			method:     "GET",
			path:       "/photos/k",
			status:     200,
		},
		{
			name:       "Deny of all, owner",
			statements: denyStatement("s3:*", inKeys, ""),
			signer:     ownerKey,
			method:     "PUT",
			path:       "/photos/k",
			status:     403,
		},
		{
			name:       "Deny of all, owner reads the policy",
			statements: denyStatement("s3:*", `["arn:aws:s3:::photos","arn:aws:s3:::photos/*"]`, ""),
			signer:     ownerKey,
			method:     "GET",
			path:       "/photos?policy",
			status:     200,
		},
		{
			name:       "Deny of all, owner reads the status of the policy",
			statements: denyStatement("s3:*", `["arn:aws:s3:::photos","arn:aws:s3:::photos/*"]`, ""),
			signer:     ownerKey,
			method:     "GET",
			path:       "/photos?policyStatus",
			status:     403,
		},
		{
			name:       "Deny of all, other account reads the policy",
			statements: denyStatement("s3:*", inBucket, "") + "," + allowStatement("s3:*", inBucket, ""),
			signer:     otherKey,
			method:     "GET",
			path:       "/photos?policy",
			status:     403,
		},
		{
			name:       "Deny of settings, owner",
			statements: denyStatement("s3:GetBucketVersioning", inBucket, ""),
			signer:     ownerKey,
			method:     "GET",
			path:       "/photos?versioning",
			status:     403,
		},
		{
			name:       "Allow of settings, other account",
			statements: allowStatement("s3:GetBucketVersioning", inBucket, ""),
			signer:     otherKey,
			method:     "GET",
			path:       "/photos?versioning",
			status:     200,
		},
		{
			name:       "Allow of removals",
			statements: allowStatement("s3:DeleteObject", inKeys, ""),
			signer:     nobody,
			method:     "DELETE",
			path:       "/photos/k",
			status:     204,
		},
	})
}

// The principal of a statement names the accounts that the statement is about. The account of otherKey is 210987654321,
// and requests of nobody have no signature.
func TestPolicyPrincipals(t *testing.T) {
	allowGetTo := func(principal string) string {
		return `{"Effect":"Allow","Principal":` + principal + `,"Action":"s3:GetObject","Resource":` + inKeys + `}`
	}
	runPolicyTests(t, []policyTest{
		{
			name:       "account ID",
			statements: allowGetTo(`{"AWS":"210987654321"}`),
			signer:     otherKey,
			method:     "GET",
			path:       "/photos/k",
			status:     200,
		},
		{
			name:       "ARN of an account",
			statements: allowGetTo(`{"AWS":["arn:aws:iam::1:root","arn:aws:iam::210987654321:root"]}`),
			signer:     otherKey,
			method:     "GET",
			path:       "/photos/k",
			status:     200,
		},
		{
			name:       "account ID, anonymous request",
			statements: allowGetTo(`{"AWS":"210987654321"}`),
			signer:     nobody,
			method:     "GET",
			path:       "/photos/k",
			status:     403,
		},
		{
			name:       "ID of another account",
			statements: allowGetTo(`{"AWS":"333333333333"}`),
			signer:     otherKey,
			method:     "GET",
			path:       "/photos/k",
			status:     403,
		},
		{
			name:       "user of the account",
			statements: allowGetTo(`{"AWS":"arn:aws:iam::210987654321:user/bob"}`),
			signer:     otherKey,
			method:     "GET",
			path:       "/photos/k",
			status:     403,
		},
		{
			name:       "service",
			statements: allowGetTo(`{"Service":"logging.s3.amazonaws.com"}`),
			signer:     otherKey,
			method:     "GET",
			path:       "/photos/k",
			status:     403,
		},
		{
			name:       "canonical ID of another account",
			statements: allowGetTo(`{"CanonicalUser":"75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a"}`),
			signer:     otherKey,
			method:     "GET",
			path:       "/photos/k",
			status:     403,
		},
		{
			name: "condition on the account",
			statements: allowStatement("s3:GetObject", inKeys,
				`{"StringEquals":{"aws:PrincipalAccount":"210987654321"}}`),
			signer: otherKey,
			method: "GET",
			path:   "/photos/k",
			status: 200,
		},
		{
			name: "condition on the ARN",
			statements: allowStatement("s3:GetObject", inKeys,
				`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:root"}}`),
			signer: otherKey,
			method: "GET",
			path:   "/photos/k",
			status: 200,
		},
		{
			name: "condition on the ARN, anonymous request",
			statements: allowStatement("s3:GetObject", inKeys,
				`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:root"}}`),
			signer: nobody,
			method: "GET",
			path:   "/photos/k",
			status: 403,
		},
	})
}

// A statement applies to a request if it names the request's action and resource. The requests of
// nobody have no signature, so they succeed only if a statement applies to them.
func TestPolicyActionsAndResources(t *testing.T) {
	runPolicyTests(t, []policyTest{
		{
			name:       "action with a wildcard",
			statements: allowStatement("s3:Get*", inKeys, ""),
			signer:     nobody,
			method:     "GET",
			path:       "/photos/k",
			status:     200,
		},
		{
			name:       "action in another case",
			statements: allowStatement("S3:getobject", inKeys, ""),
			signer:     nobody,
			method:     "GET",
			path:       "/photos/k",
			status:     200,
		},
		{
			name:       "NotAction of the action",
			statements: `{"Effect":"Allow","Principal":"*","NotAction":"s3:GetObject","Resource":` + inKeys + `}`,
			signer:     nobody,
			method:     "GET",
			path:       "/photos/k",
			status:     403,
		},
		{
			name:       "NotAction of another action",
			statements: `{"Effect":"Allow","Principal":"*","NotAction":"s3:GetObject","Resource":` + inKeys + `}`,
			signer:     nobody,
			method:     "PUT",
			path:       "/photos/k",
			status:     200,
		},
		{
			name:       "NotResource of the key",
			statements: `{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","NotResource":"arn:aws:s3:::photos/k*"}`,
			signer:     nobody,
			method:     "GET",
			path:       "/photos/k",
			status:     403,
		},
		{
			name:       "NotResource of another key",
			statements: `{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","NotResource":"arn:aws:s3:::photos/l*"}`,
			signer:     nobody,
			method:     "GET",
			path:       "/photos/k",
			status:     200,
		},
		{
			name:       "resource with a question mark",
			statements: allowStatement("s3:GetObject", `"arn:aws:s3:::photos/?"`, ""),
			signer:     nobody,
			method:     "GET",
			path:       "/photos/k",
			status:     200,
		},
		{
			name:       "resource with a wildcard, which includes the bucket",
			statements: allowStatement("s3:GetObject", `"arn:aws:s3:::photos*"`, ""),
			signer:     nobody,
			method:     "GET",
			path:       "/photos/k",
			status:     200,
		},
		{
			name:       "resource with an escaped star",
			statements: allowStatement("s3:GetObject", `"arn:aws:s3:::photos/${*}"`, ""),
			signer:     nobody,
			method:     "GET",
			path:       "/photos/k",
			status:     403,
		},
		{
			name:       "version of an object, permission for the object only",
			statements: allowGet,
			signer:     nobody,
			method:     "GET",
			path:       "/photos/k?versionId=null",
			status:     403,
		},
		{
			name:       "version of an object, permission for versions",
			statements: allowStatement("s3:GetObjectVersion", inKeys, ""),
			signer:     nobody,
			method:     "GET",
			path:       "/photos/k?versionId=null",
			status:     200,
		},
		{
			name:       "tags of an object, permission for the object only",
			statements: allowGet,
			signer:     nobody,
			method:     "GET",
			path:       "/photos/tagged?tagging",
			status:     403,
		},
		{
			name:       "tags of an object, permission for tags",
			statements: allowStatement("s3:GetObjectTagging", inKeys, ""),
			signer:     nobody,
			method:     "GET",
			path:       "/photos/tagged?tagging",
			status:     200,
		},
	})
}

// The conditions of a policy can be about the address, the headers, the network and the time of a request. A request
// of nobody has no signature, so only the policy can allow it. The owner may read unless the policy denies it.
func TestPolicyConditionsOnClient(t *testing.T) {
	runPolicyTests(t, []policyTest{
		{
			name:       "allowed address",
			statements: allowStatement("s3:GetObject", inKeys, `{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}`),
			signer:     nobody,
			method:     "GET",
			path:       "/photos/k",
			status:     200,
		},
		{
			name:       "other address",
			statements: allowStatement("s3:GetObject", inKeys, `{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","2001:db8::/32"]}}`),
			signer:     nobody,
			method:     "GET",
			path:       "/photos/k",
			status:     403,
		},
		{
			name: "Deny of all but another address",
			statements: allowGet + "," + denyStatement("s3:GetObject", inKeys,
				`{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`),
			signer: ownerKey,
			method: "GET",
			path:   "/photos/k",
			status: 403,
		},
		{
			name:       "allowed referer",
			statements: allowStatement("s3:GetObject", inKeys, `{"StringLike":{"aws:Referer":"http://e.com/*"}}`),
			signer:     nobody,
			method:     "GET",
			path:       "/photos/k",
			header:     map[string]string{"Referer": "http://e.com/x"},
			status:     200,
		},
		{
			name:       "referer missing",
			statements: allowStatement("s3:GetObject", inKeys, `{"StringLike":{"aws:Referer":"http://e.com/*"}}`),
			signer:     nobody,
			method:     "GET",
			path:       "/photos/k",
			status:     403,
		},
		{
			name: "referer missing, condition only if it exists",
			statements: allowStatement("s3:GetObject", inKeys,
				`{"StringLikeIfExists":{"aws:Referer":"http://e.com/*"}}`),
			signer: nobody,
			method: "GET",
			path:   "/photos/k",
			status: 200,
		},
		{
			name: "denied user agent, in another case",
			statements: allowStatement("s3:GetObject", inKeys,
				`{"StringNotEqualsIgnoreCase":{"aws:UserAgent":"BOT"}}`),
			signer: nobody,
			method: "GET",
			path:   "/photos/k",
			header: map[string]string{"User-Agent": "bot"},
			status: 403,
		},
		{
			name: "time in the past",
			statements: allowStatement("s3:GetObject", inKeys,
				`{"DateGreaterThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"},"DateLessThan":{"aws:EpochTime":"4102444800"}}`),
			signer: nobody,
			method: "GET",
			path:   "/photos/k",
			status: 200,
		},
		{
			name: "time in the future",
			statements: allowStatement("s3:GetObject", inKeys,
				`{"DateGreaterThan":{"aws:CurrentTime":"2100-01-01"}}`),
			signer: nobody,
			method: "GET",
			path:   "/photos/k",
			status: 403,
		},
		{
			name: "two conditions, of which one fails",
			statements: allowStatement("s3:GetObject", inKeys,
				`{"IpAddress":{"aws:SourceIp":"127.0.0.1"},"StringEquals":{"aws:Referer":"x"}}`),
			signer: nobody,
			method: "GET",
			path:   "/photos/k",
			status: 403,
		},
		{
			name:       "Allow within a VPC, owner outside",
			statements: allowStatement("s3:GetObject", inKeys, `{"StringEquals":{"aws:SourceVpce":"vpce-1"}}`),
			signer:     ownerKey,
			method:     "GET",
			path:       "/photos/k",
			status:     200,
		},
		{
			name:       "Deny outside a VPC, owner outside",
			statements: denyStatement("s3:GetObject", inKeys, `{"StringNotEquals":{"aws:SourceVpce":"vpce-1"}}`),
			signer:     ownerKey,
			method:     "GET",
			path:       "/photos/k",
			status:     403,
		},
	})
}

// The conditions of a policy can be about the prefix and the size of a listing. A read of a missing
// key fails with 404 only if the client may list the key. Otherwise it fails with 403, because the
// client must not learn what is missing.
func TestPolicyConditionsOnListing(t *testing.T) {
	runPolicyTests(t, []policyTest{
		{
			name:       "missing key, no permission to list",
			statements: allowGet,
			signer:     otherKey,
			method:     "GET",
			path:       "/photos/none",
			status:     403,
		},
		{
			name: "missing key, permission to list its prefix",
			statements: allowGet + "," + allowStatement("s3:ListBucket", inBucket,
				`{"StringLike":{"s3:prefix":"no*"}}`),
			signer: otherKey,
			method: "GET",
			path:   "/photos/none",
			status: 404,
		},
		{
			name: "missing key, permission to list another prefix",
			statements: allowGet + "," + allowStatement("s3:ListBucket", inBucket,
				`{"StringLike":{"s3:prefix":"x*"}}`),
			signer: otherKey,
			method: "GET",
			path:   "/photos/none",
			status: 403,
		},
		{
			name: "allowed prefix and delimiter",
			statements: allowStatement("s3:ListBucket", inBucket,
				`{"StringEquals":{"s3:prefix":["a/","b/"],"s3:delimiter":"/"}}`),
			signer: nobody,
			method: "GET",
			path:   "/photos?list-type=2&prefix=b/&delimiter=/",
			status: 200,
		},
		{
			name:       "other prefix",
			statements: allowStatement("s3:ListBucket", inBucket, `{"StringEquals":{"s3:prefix":["a/","b/"]}}`),
			signer:     nobody,
			method:     "GET",
			path:       "/photos?list-type=2&prefix=c/",
			status:     403,
		},
		{
			name:       "two prefixes, of which the first counts",
			statements: allowStatement("s3:ListBucket", inBucket, `{"StringEquals":{"s3:prefix":["a/","b/"]}}`),
			signer:     nobody,
			method:     "GET",
			path:       "/photos?list-type=2&prefix=c/&prefix=b/",
			status:     403,
		},
		{
			name:       "prefix missing, condition on an empty one",
			statements: allowStatement("s3:ListBucket", inBucket, `{"StringEquals":{"s3:prefix":""}}`),
			signer:     nobody,
			method:     "GET",
			path:       "/photos?list-type=2",
			status:     403,
		},
		{
			name:       "prefix with an escaped star",
			statements: allowStatement("s3:ListBucket", inBucket, `{"StringLike":{"s3:prefix":"a${*}/*"}}`),
			signer:     nobody,
			method:     "GET",
			path:       "/photos?list-type=2&prefix=a*/b",
			status:     200,
		},
		{
			name:       "prefix that an unescaped star would match",
			statements: allowStatement("s3:ListBucket", inBucket, `{"StringLike":{"s3:prefix":"a${*}/*"}}`),
			signer:     nobody,
			method:     "GET",
			path:       "/photos?list-type=2&prefix=ab/b",
			status:     403,
		},
		{
			name:       "prefix with an escaped dollar sign",
			statements: allowStatement("s3:ListBucket", inBucket, `{"StringEquals":{"s3:prefix":"${$}{a}"}}`),
			signer:     nobody,
			method:     "GET",
			path:       "/photos?list-type=2&prefix=$%7Ba%7D",
			status:     200,
		},
		{
			name:       "allowed page size",
			statements: allowStatement("s3:ListBucket", inBucket, `{"NumericLessThanEquals":{"s3:max-keys":10}}`),
			signer:     nobody,
			method:     "GET",
			path:       "/photos?list-type=2&max-keys=10",
			status:     200,
		},
		{
			name:       "page size too large",
			statements: allowStatement("s3:ListBucket", inBucket, `{"NumericLessThanEquals":{"s3:max-keys":"10"}}`),
			signer:     nobody,
			method:     "GET",
			path:       "/photos?list-type=2&max-keys=11",
			status:     403,
		},
	})
}

// The conditions of a policy can be about the tags of the object that is read, and about the tags that a write sets.
// They cannot be about the tags of an object that is overwritten or removed.
func TestPolicyConditionsOnTags(t *testing.T) {
	// Only the object "tagged" has the tag kind=public. Requests of nobody need an Allow, and so do
	// those of otherKey, because that is a key of another account.
	runPolicyTests(t, []policyTest{
		{
			name: "read of an object with the tag",
			statements: allowStatement("s3:GetObject", inKeys,
				`{"StringEquals":{"s3:ExistingObjectTag/kind":"public"}}`),
			signer: nobody,
			method: "GET",
			path:   "/photos/tagged",
			status: 200,
		},
		{
			name: "read of an object without the tag",
			statements: allowStatement("s3:GetObject", inKeys,
				`{"StringEquals":{"s3:ExistingObjectTag/kind":"public"}}`),
			signer: nobody,
			method: "GET",
			path:   "/photos/k",
			status: 403,
		},
		{
			name: "tag of the overwritten object",
			statements: allowStatement("s3:PutObject", inKeys,
				`{"StringEquals":{"s3:ExistingObjectTag/kind":"public"}}`),
			signer: otherKey,
			method: "PUT",
			path:   "/photos/tagged",
			status: 403,
		},
		{
			name: "tag of the removed object",
			statements: allowStatement("s3:DeleteObject", inKeys,
				`{"StringEquals":{"s3:ExistingObjectTag/kind":"public"}}`),
			signer: otherKey,
			method: "DELETE",
			path:   "/photos/tagged",
			status: 403,
		},
		{
			name: "Deny without a tag of the overwritten object",
			statements: denyStatement("s3:PutObject", inKeys,
				`{"StringNotEquals":{"s3:ExistingObjectTag/kind":"public"}}`),
			signer: ownerKey,
			method: "PUT",
			path:   "/photos/tagged",
			status: 403,
		},
		{
			name: "write with the tag",
			statements: allowStatement("s3:PutObject*", inKeys,
				`{"StringEquals":{"s3:RequestObjectTag/kind":"public"}}`),
			signer: otherKey,
			method: "PUT",
			path:   "/photos/k",
			header: map[string]string{"X-Amz-Tagging": "kind=public"},
			status: 200,
		},
		{
			name: "write without the tag",
			statements: allowStatement("s3:PutObject*", inKeys,
				`{"StringEquals":{"s3:RequestObjectTag/kind":"public"}}`),
			signer: otherKey,
			method: "PUT",
			path:   "/photos/k",
			status: 403,
		},
		{
			name: "all tags must have a name of the list",
			statements: allowStatement("s3:PutObject*", inKeys,
				`{"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["kind","size"]}}`),
			signer: otherKey,
			method: "PUT",
			path:   "/photos/k",
			header: map[string]string{"X-Amz-Tagging": "kind=a&size=b"},
			status: 200,
		},
		{
			name: "all tags must have a name of the list, one has another",
			statements: allowStatement("s3:PutObject*", inKeys,
				`{"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["kind","size"]}}`),
			signer: otherKey,
			method: "PUT",
			path:   "/photos/k",
			header: map[string]string{"X-Amz-Tagging": "kind=a&shape=b"},
			status: 403,
		},
		{
			name: "any tag must have a name of the list",
			statements: allowStatement("s3:PutObject*", inKeys,
				`{"ForAnyValue:StringEquals":{"s3:RequestObjectTagKeys":["kind","size"]}}`),
			signer: otherKey,
			method: "PUT",
			path:   "/photos/k",
			header: map[string]string{"X-Amz-Tagging": "kind=a&shape=b"},
			status: 200,
		},
		{
			name: "any tag must have a name of the list, no tags",
			statements: allowStatement("s3:PutObject*", inKeys,
				`{"ForAnyValue:StringEquals":{"s3:RequestObjectTagKeys":["kind","size"]}}`),
			signer: otherKey,
			method: "PUT",
			path:   "/photos/k",
			status: 403,
		},
		{
			name:       "write with tags, no permission for tags",
			statements: allowStatement("s3:PutObject", inKeys, ""),
			signer:     otherKey,
			method:     "PUT",
			path:       "/photos/k",
			header:     map[string]string{"X-Amz-Tagging": "kind=public"},
			status:     403,
		},
	})
}

// The conditions of a policy can be about the encryption, the ACL and the conditions of a write. The owner may write
// unless the policy denies it. The other account may write only if the policy allows it.
func TestPolicyConditionsOnWrite(t *testing.T) {
	runPolicyTests(t, []policyTest{
		{
			name: "Deny without encryption, encryption missing",
			statements: denyStatement("s3:PutObject", inKeys,
				`{"Null":{"s3:x-amz-server-side-encryption":"true"}}`),
			signer: ownerKey,
			method: "PUT",
			path:   "/photos/k",
			status: 403,
		},
		{
			name: "Deny without encryption, encrypted",
			statements: denyStatement("s3:PutObject", inKeys,
				`{"Null":{"s3:x-amz-server-side-encryption":"true"}}`),
			signer: ownerKey,
			method: "PUT",
			path:   "/photos/k",
			header: map[string]string{"X-Amz-Server-Side-Encryption": "AES256"},
			status: 200,
		},
		{
			name: "Deny of other encryption, other encryption",
			statements: denyStatement("s3:PutObject", inKeys,
				`{"StringNotEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}`),
			signer: ownerKey,
			method: "PUT",
			path:   "/photos/k",
			header: map[string]string{"X-Amz-Server-Side-Encryption": "AES256"},
			status: 403,
		},
		{
			name: "Deny of other encryption, encryption missing",
			statements: denyStatement("s3:PutObject", inKeys,
				`{"StringNotEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}`),
			signer: ownerKey,
			method: "PUT",
			path:   "/photos/k",
			status: 403,
		},
		{
			name:       "denied canned ACL",
			statements: denyStatement("s3:PutObject", inKeys, `{"StringLike":{"s3:x-amz-acl":"bucket-*"}}`),
			signer:     ownerKey,
			method:     "PUT",
			path:       "/photos/k",
			header:     map[string]string{"X-Amz-Acl": "bucket-owner-full-control"},
			status:     403,
		},
		{
			name:       "canned ACL, no permission for ACLs",
			statements: allowStatement("s3:PutObject", inKeys, ""),
			signer:     otherKey,
			method:     "PUT",
			path:       "/photos/k",
			header:     map[string]string{"X-Amz-Acl": "bucket-owner-full-control"},
			status:     403,
		},
		{
			name: "allowed canned ACL",
			statements: allowStatement("s3:PutObject*", inKeys,
				`{"StringEquals":{"s3:x-amz-acl":"bucket-owner-full-control"}}`),
			signer: otherKey,
			method: "PUT",
			path:   "/photos/k",
			header: map[string]string{"X-Amz-Acl": "bucket-owner-full-control"},
			status: 200,
		},
		{
			name: "Deny without If-None-Match, header missing",
			statements: denyStatement("s3:PutObject", inKeys,
				`{"Null":{"s3:if-none-match":"true"},"Bool":{"s3:ObjectCreationOperation":"true"}}`),
			signer: ownerKey,
			method: "PUT",
			path:   "/photos/l",
			status: 403,
		},
		{
			name: "Deny without If-None-Match, header sent",
			statements: denyStatement("s3:PutObject", inKeys,
				`{"Null":{"s3:if-none-match":"true"},"Bool":{"s3:ObjectCreationOperation":"true"}}`),
			signer: ownerKey,
			method: "PUT",
			path:   "/photos/l",
			header: map[string]string{"If-None-Match": "*"},
			status: 200,
		},
	})
}

// If the result of a write depends on an object, the write also needs the permission to read that
// object. Examples are the source of a copy and an entity tag in a condition. The owner has each
// permission that the policy does not deny. The other account has only those that the policy
// allows.
func TestPolicyOfWriteThatReads(t *testing.T) {
	runPolicyTests(t, []policyTest{
		{
			name: "denied source of a copy",
			statements: denyStatement("s3:PutObject", inKeys,
				`{"StringLike":{"s3:x-amz-copy-source":"photos/ta*"}}`),
			signer: ownerKey,
			method: "PUT",
			path:   "/photos/l",
			header: map[string]string{"X-Amz-Copy-Source": "/photos/tagged"},
			status: 403,
		},
		{
			name:       "source that may not be read",
			statements: denyStatement("s3:GetObject", `"arn:aws:s3:::photos/tagged"`, ""),
			signer:     ownerKey,
			method:     "PUT",
			path:       "/photos/l",
			header:     map[string]string{"X-Amz-Copy-Source": "/photos/tagged"},
			status:     403,
		},
		{
			name:       "denied version of the source",
			statements: denyStatement("s3:GetObjectVersion", inKeys, `{"StringEquals":{"s3:VersionId":"null"}}`),
			signer:     ownerKey,
			method:     "PUT",
			path:       "/photos/l",
			header:     map[string]string{"X-Amz-Copy-Source": "/photos/k?versionId=null"},
			status:     403,
		},
		{
			name:       "source with tags, no permission to read tags",
			statements: allowStatement("s3:GetObject", inKeys, "") + "," + allowStatement("s3:PutObject*", inKeys, ""),
			signer:     otherKey,
			method:     "PUT",
			path:       "/photos/l",
			header:     map[string]string{"X-Amz-Copy-Source": "/photos/tagged"},
			status:     403,
		},
		{
			name:       "source with tags, permission to read and write tags",
			statements: allowStatement("s3:GetObject*", inKeys, "") + "," + allowStatement("s3:PutObject*", inKeys, ""),
			signer:     otherKey,
			method:     "PUT",
			path:       "/photos/l",
			header:     map[string]string{"X-Amz-Copy-Source": "/photos/tagged"},
			status:     200,
		},
		{
			name:       "source with tags, no permission to write tags",
			statements: allowStatement("s3:GetObject*", inKeys, "") + "," + allowStatement("s3:PutObject", inKeys, ""),
			signer:     otherKey,
			method:     "PUT",
			path:       "/photos/l",
			header:     map[string]string{"X-Amz-Copy-Source": "/photos/tagged"},
			status:     403,
		},
		{
			name:       "source with tags, which are replaced",
			statements: allowStatement("s3:GetObject", inKeys, "") + "," + allowStatement("s3:PutObject", inKeys, ""),
			signer:     otherKey,
			method:     "PUT",
			path:       "/photos/l",
			header:     map[string]string{"X-Amz-Copy-Source": "/photos/tagged", "X-Amz-Tagging-Directive": "REPLACE"},
			status:     200,
		},
		{
			name:       "source with tags, Deny to read tags",
			statements: denyStatement("s3:GetObjectTagging", inKeys, ""),
			signer:     ownerKey,
			method:     "PUT",
			path:       "/photos/l",
			header:     map[string]string{"X-Amz-Copy-Source": "/photos/tagged"},
			status:     403,
		},
		{
			name:       "If-Match, no permission to read",
			statements: denyStatement("s3:GetObject", inKeys, ""),
			signer:     ownerKey,
			method:     "PUT",
			path:       "/photos/k",
			header:     map[string]string{"If-Match": `"x"`},
			status:     403,
		},
		{
			name:       "If-Match, permission to read",
			statements: denyStatement("s3:GetObjectAcl", inKeys, ""),
			signer:     ownerKey,
			method:     "PUT",
			path:       "/photos/k",
			header:     map[string]string{"If-Match": `"x"`},
			status:     412,
		},
		{
			name:       "If-Match with a star, no permission to read",
			statements: denyStatement("s3:GetObject", inKeys, ""),
			signer:     ownerKey,
			method:     "PUT",
			path:       "/photos/k",
			header:     map[string]string{"If-Match": "*"},
			status:     200,
		},
		{
			name:       "If-Match of a removal, no permission to read",
			statements: denyStatement("s3:GetObject", inKeys, ""),
			signer:     ownerKey,
			method:     "DELETE",
			path:       "/photos/k",
			header:     map[string]string{"If-Match": `"x"`},
			status:     403,
		},
	})
}

// A policy can refuse an old signature of a URL or a form, even if the URL or the form has not
// expired yet.
func TestPolicyJudgesSignatureAge(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "k", "content")
	const tenMinutes = `{"NumericGreaterThan":{"s3:signatureAge":"600000"}}`
	require.NoError(t, s.setPolicy(policy2012(denyStatement("s3:*", inKeys, tenMinutes))))

	// The URL and the form are valid for an hour, but the policy allows their signatures only for
	// ten minutes.
	signer := s3.NewPresignClient(s.Client, s3.WithPresignExpires(time.Hour))
	presigned, err := signer.PresignGetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
	})
	require.NoError(t, err)
	form, err := signer.PresignPostObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
	}, func(o *s3.PresignPostOptions) {
		o.Expires = time.Hour
	})
	require.NoError(t, err)

	tests := []struct {
		name           string
		age            time.Duration
		wantGetStatus  int
		wantFormStatus int
	}{
		{name: "young", age: 9 * time.Minute, wantGetStatus: 200, wantFormStatus: 204},
		{name: "old", age: 11 * time.Minute, wantGetStatus: 403, wantFormStatus: 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.clock.move(tt.age)
			defer s.clock.move(-tt.age)

			response, body := s.send(t, "GET", presigned.URL, nil, nil)
			require.Equal(t, tt.wantGetStatus, response.StatusCode, body)
			response, body = s.post(t, form.URL, form.Values, "hello")
			require.Equal(t, tt.wantFormStatus, response.StatusCode, body)
		})
	}
}

// A condition of a policy on the header X-Amz-Content-Sha256 does not apply to the same name in the
// query of a presigned URL.
func TestPolicyIgnoresHashInQuery(t *testing.T) {
	s := startServer(t, s3server.Config{Credentials: twoAccounts})
	s.put(t, "k", "content")
	const isUnsigned = `{"StringEquals":{"s3:x-amz-content-sha256":"UNSIGNED-PAYLOAD"}}`
	require.NoError(t, s.setPolicy(policy2012(denyStatement("s3:*", inKeys, isUnsigned))))

	// sendAs sends the denied value in the header.
	response, body := s.sendAs(t, ownerKey, "GET", "/photos/k", "", nil)
	require.Equal(t, 403, response.StatusCode, body)

	// A URL with the value in its query, as the SDK for JavaScript signs it, is allowed.
	target := s.server.URL + "/photos/k?X-Amz-Expires=60&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD"
	r, err := http.NewRequestWithContext(t.Context(), "GET", target, nil)
	require.NoError(t, err)
	owner := aws.Credentials{
		AccessKeyID:     twoAccounts[ownerKey].AccessKeyID,
		SecretAccessKey: twoAccounts[ownerKey].SecretKey,
	}
	signedURL, _, err := v4.NewSigner().PresignHTTP(t.Context(), owner, r, "UNSIGNED-PAYLOAD", "s3",
		"us-east-1", time.Now())
	require.NoError(t, err)
	response, body = s.send(t, "GET", signedURL, nil, nil)
	require.Equal(t, 200, response.StatusCode, body)
}

// PutBucketPolicy refuses a policy that is invalid, or that the server does not support.
func TestPolicyRefused(t *testing.T) {
	s := startLenient(t, s3server.Config{Credentials: twoAccounts})
	tests := []struct {
		name       string
		statement  string
		wantStatus int
		wantCode   string
	}{
		{
			name:       "an action on buckets with a resource of keys",
			statement:  allowStatement("s3:ListBucket", inKeys, ""),
			wantStatus: 400,
			wantCode:   "MalformedPolicy",
		},
		{
			name:       "an unknown action",
			statement:  denyStatement("s3:FlyObject", inKeys, ""),
			wantStatus: 400,
			wantCode:   "MalformedPolicy",
		},
		{
			name:       "a variable that the server does not support",
			statement:  denyStatement("s3:*", `"arn:aws:s3:::photos/${aws:username}/*"`, ""),
			wantStatus: 501,
			wantCode:   "NotImplemented",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			requireFailure(t, s.setPolicy(policy2012(tt.statement)), tt.wantStatus, tt.wantCode)
		})
	}
}

// GetBucketPolicyStatus fails for a bucket without a policy, even if an ACL makes the bucket public.
func TestPolicyStatusMissing(t *testing.T) {
	s := startLenient(t, s3server.Config{})
	s.setOwnership(t, types.ObjectOwnershipObjectWriter)
	_, err := s.PutBucketAcl(t.Context(), &s3.PutBucketAclInput{
		Bucket: aws.String(bucket),
		ACL:    types.BucketCannedACLPublicRead,
	})
	require.NoError(t, err)

	_, err = s.GetBucketPolicyStatus(t.Context(), &s3.GetBucketPolicyStatusInput{Bucket: aws.String(bucket)})
	requireFailure(t, err, 404, "NoSuchBucketPolicy")
}

// GetBucketPolicyStatus reports that a policy with only a Deny is not public.
func TestPolicyStatusIsAWSsRule(t *testing.T) {
	s := startServer(t, s3server.Config{})
	requireFailure(t, s.setPolicy(policy2012(allowGet)), 403, "AccessDenied")
	require.NoError(t, s.setPolicy(policy2012(denyStatement("s3:GetObject", inKeys, ""))))

	status, err := s.GetBucketPolicyStatus(t.Context(), &s3.GetBucketPolicyStatusInput{
		Bucket: aws.String(bucket),
	})
	require.NoError(t, err)
	require.False(t, *status.PolicyStatus.IsPublic)
}

// The conditions of a policy apply to the tags in the document of PutObjectTagging.
func TestPolicyJudgesTagsOfDocument(t *testing.T) {
	s := startServer(t, s3server.Config{Credentials: twoAccounts})
	s.allowPublicAccess(t)
	s.put(t, "k", "content")

	putTag := func(client *s3.Client, value string) error {
		_, err := client.PutObjectTagging(t.Context(), &s3.PutObjectTaggingInput{
			Bucket:  aws.String(bucket),
			Key:     aws.String("k"),
			Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("kind"), Value: &value}}},
		})
		return err
	}

	// Without a policy, the other account may not change tags.
	requireFailure(t, putTag(s.clientOf(otherKey), "x"), 403, "AccessDenied")

	// With the policy, everybody may set any value except for one. Even the owner may not set that
	// value.
	require.NoError(t, s.setPolicy(policyOf(
		allowStatement("s3:PutObjectTagging", inKeys, ""),
		denyStatement("s3:PutObjectTagging", inKeys, `{"StringEquals":{"s3:RequestObjectTag/kind":"secret"}}`),
	)))
	require.NoError(t, putTag(s.clientOf(otherKey), "x"))
	requireFailure(t, putTag(s.clientOf(otherKey), "secret"), 403, "AccessDenied")
	requireFailure(t, putTag(s.Client, "secret"), 403, "AccessDenied")
}

// The conditions of a policy apply to the lock in the document of PutObjectRetention and PutObjectLegalHold.
func TestPolicyJudgesLockOfDocument(t *testing.T) {
	s := startLocking(t)
	s.putLocked(t, "k", types.ObjectLockModeGovernance)

	retain := func(mode types.ObjectLockRetentionMode, days int) error {
		_, err := s.PutObjectRetention(t.Context(), &s3.PutObjectRetentionInput{
			Bucket:                    aws.String(locking),
			Key:                       aws.String("k"),
			BypassGovernanceRetention: aws.Bool(true),
			Retention: &types.ObjectLockRetention{
				Mode:            mode,
				RetainUntilDate: aws.Time(s.clock.now().AddDate(0, 0, days)),
			},
		})
		return err
	}
	hold := func(status types.ObjectLockLegalHoldStatus) error {
		_, err := s.PutObjectLegalHold(t.Context(), &s3.PutObjectLegalHoldInput{
			Bucket:    aws.String(locking),
			Key:       aws.String("k"),
			LegalHold: &types.ObjectLockLegalHold{Status: status},
		})
		return err
	}

	// The policy refuses retentions of more than ten days or in compliance mode, and the end of a hold.
	const keys = `"arn:aws:s3:::locking/*"`
	document := policyOf(
		denyStatement("s3:PutObjectRetention", keys,
			`{"NumericGreaterThan":{"s3:object-lock-remaining-retention-days":"10"}}`),
		denyStatement("s3:PutObjectRetention", keys, `{"StringEquals":{"s3:object-lock-mode":"COMPLIANCE"}}`),
		denyStatement("s3:PutObjectLegalHold", keys, `{"StringEquals":{"s3:object-lock-legal-hold":"OFF"}}`),
	)
	_, err := s.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{
		Bucket: aws.String(locking),
		Policy: &document,
	})
	require.NoError(t, err)

	// A short retention in governance mode is allowed. Other retentions are not.
	require.NoError(t, retain(types.ObjectLockRetentionModeGovernance, 9))
	requireFailure(t, retain(types.ObjectLockRetentionModeGovernance, 20), 403, "AccessDenied")
	requireFailure(t, retain(types.ObjectLockRetentionModeCompliance, 9), 403, "AccessDenied")

	// A hold may be set, but not removed.
	require.NoError(t, hold(types.ObjectLockLegalHoldStatusOn))
	requireFailure(t, hold(types.ObjectLockLegalHoldStatusOff), 403, "AccessDenied")
}

// The policy is evaluated separately for each key of DeleteObjects.
func TestPolicyJudgesBatchByKey(t *testing.T) {
	s := startServer(t, s3server.Config{Credentials: twoAccounts})
	s.allowPublicAccess(t)
	for _, key := range []string{"a/1", "b/1"} {
		s.put(t, key, "content")
	}

	// The policy permits the removal of objects in the folder "a", but only if the request names no
	// version.
	mayDeleteInA := policyOf(allowStatement("s3:DeleteObject", `"arn:aws:s3:::photos/a/*"`, ""))
	require.NoError(t, s.setPolicy(mayDeleteInA))
	output, err := s.clientOf(otherKey).DeleteObjects(t.Context(), &s3.DeleteObjectsInput{
		Bucket: aws.String(bucket),
		Delete: &types.Delete{Objects: []types.ObjectIdentifier{
			{Key: aws.String("a/1")},
			{Key: aws.String("b/1")},
			{Key: aws.String("a/1"), VersionId: aws.String("null")},
		}},
	})
	require.NoError(t, err)
	require.Len(t, output.Deleted, 1)
	require.Len(t, output.Errors, 2, "the other folder, and the version, which needs s3:DeleteObjectVersion")
	require.Equal(t, []string{"b/1"}, s.keys(t))

	// A condition on the version applies to the version of each key, so "b/1" stays.
	mayNotDeleteNull := policyOf(
		allowStatement("s3:DeleteObjectVersion", inKeys, ""),
		denyStatement("s3:DeleteObjectVersion", inKeys, `{"StringEquals":{"s3:VersionId":"null"}}`),
	)
	require.NoError(t, s.setPolicy(mayNotDeleteNull))
	output, err = s.clientOf(otherKey).DeleteObjects(t.Context(), &s3.DeleteObjectsInput{
		Bucket: aws.String(bucket),
		Delete: &types.Delete{
			Objects: []types.ObjectIdentifier{{Key: aws.String("b/1"), VersionId: aws.String("null")}},
		},
	})
	require.NoError(t, err)
	require.Len(t, output.Errors, 1)
	require.Equal(t, []string{"b/1"}, s.keys(t))
}

// With RestrictPublicBuckets, a public policy no longer lets other accounts or anonymous users read.
func TestPolicyOfRestrictedBucketIsNotPublic(t *testing.T) {
	s := startServer(t, s3server.Config{Credentials: twoAccounts})
	s.allowPublicAccess(t)
	s.put(t, "k", "content")
	allowOtherAccount := strings.Replace(allowGet, `"*"`, `{"AWS":"210987654321"}`, 1)
	require.NoError(t, s.setPolicy(policyOf(allowGet, allowOtherAccount)))

	// At first, everybody can read.
	for _, signer := range []int{ownerKey, otherKey, nobody} {
		response, _ := s.sendAs(t, signer, "GET", "/photos/k", "", nil)
		require.Equal(t, 200, response.StatusCode)
	}

	_, err := s.PutPublicAccessBlock(t.Context(), &s3.PutPublicAccessBlockInput{
		Bucket:                         aws.String(bucket),
		PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{RestrictPublicBuckets: aws.Bool(true)},
	})
	require.NoError(t, err)

	tests := []struct{ signer, wantStatus int }{
		{signer: ownerKey, wantStatus: 200},
		{signer: otherKey, wantStatus: 403},
		{signer: nobody, wantStatus: 403},
	}
	for _, tt := range tests {
		response, _ := s.sendAs(t, tt.signer, "GET", "/photos/k", "", nil)
		require.Equal(t, tt.wantStatus, response.StatusCode)
	}
}

// The policy judges the headers of a multipart upload at CreateMultipartUpload, because the
// requests for its parts do not have these headers. The policy of each case demands a header.
func TestPolicyJudgesUploadAtBegin(t *testing.T) {
	tests := []struct{ name, statements string }{
		{
			name: "header of the encryption",
			statements: allowStatement("s3:PutObject", inKeys, "") + "," + denyStatement("s3:PutObject", inKeys,
				`{"StringNotEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}`),
		},
		{
			name: "header of the ACL",
			statements: allowStatement("s3:PutObject*", inKeys,
				`{"StringEquals":{"s3:x-amz-acl":"bucket-owner-full-control"}}`),
		},
		{
			name: "header of the tags",
			statements: allowStatement("s3:PutObject*", inKeys,
				`{"StringEquals":{"s3:RequestObjectTag/kind":"public"}}`),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startLenient(t, s3server.Config{Credentials: twoAccounts})
			s.put(t, "source", "content")
			require.NoError(t, s.setPolicy(policyOf(tt.statements)))
			other := s.clientOf(otherKey)

			// CreateMultipartUpload without the headers is refused.
			_, err := other.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
				Bucket: aws.String(bucket),
				Key:    aws.String("k"),
			})
			requireFailure(t, err, 403, "AccessDenied")

			// An upload with all three headers begins.
			u, err := other.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
				Bucket:               aws.String(bucket),
				Key:                  aws.String("k"),
				ServerSideEncryption: "aws:kms",
				ACL:                  "bucket-owner-full-control",
				Tagging:              aws.String("kind=public"),
			})
			require.NoError(t, err)

			// A part needs no header, but a copied part needs the right to read its source.
			part, err := other.UploadPart(t.Context(), &s3.UploadPartInput{
				Bucket:     aws.String(bucket),
				Key:        aws.String("k"),
				UploadId:   u.UploadId,
				PartNumber: aws.Int32(1),
				Body:       strings.NewReader("content"),
			})
			require.NoError(t, err)
			_, err = other.UploadPartCopy(t.Context(), &s3.UploadPartCopyInput{
				Bucket:     aws.String(bucket),
				Key:        aws.String("k"),
				UploadId:   u.UploadId,
				PartNumber: aws.Int32(2),
				CopySource: aws.String(bucket + "/source"),
			})
			requireFailure(t, err, 403, "AccessDenied")

			// The completion needs no header, either.
			_, err = other.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
				Bucket:   aws.String(bucket),
				Key:      aws.String("k"),
				UploadId: u.UploadId,
				MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{
					ETag:          part.ETag,
					PartNumber:    aws.Int32(1),
					ChecksumCRC32: part.ChecksumCRC32,
				}}},
			})
			require.NoError(t, err)

			// A single PUT without the headers is refused.
			_, err = other.PutObject(t.Context(), putInput("k", "x"))
			requireFailure(t, err, 403, "AccessDenied")
		})
	}
}
