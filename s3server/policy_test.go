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

// A strict server blocks policies and lists that make a bucket public. allowPublicAccess removes these blocks.
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
	if key >= 0 {
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

// The signers of a request are indexes of twoAccounts, or nobody.
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

// The bucket's policy decides which requests succeed.
func TestPolicyDecides(t *testing.T) {
	type row struct {
		statements   string // without the list's brackets
		as           int
		method, path string
		header       map[string]string
		status       int
	}
	headerOf := func(names ...string) map[string]string {
		header := map[string]string{}
		for i := 0; i < len(names); i += 2 {
			header[names[i]] = names[i+1]
		}
		return header
	}
	insecure := allowGet + "," + denyStatement("s3:*", inKeys, `{"Bool":{"aws:SecureTransport":"false"}}`)
	loopback := `{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}`
	elsewhere := `{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","2001:db8::/32"]}}`

	tests := []struct {
		name string
		test row
	}{
		{
			name: "an Allow",
			test: row{
				statements: allowGet,
				as:         nobody,
				method:     "GET",
				path:       "/photos/k",
				status:     200,
			},
		},
		{
			name: "an Allow, for another account",
			test: row{
				statements: allowGet,
				as:         otherKey,
				method:     "GET",
				path:       "/photos/k",
				status:     200,
			},
		},
		{
			name: "an Allow of something else",
			test: row{
				statements: allowGet,
				as:         nobody,
				method:     "PUT",
				path:       "/photos/k",
				status:     403,
			},
		},
		{
			name: "no Allow",
			test: row{
				statements: allowGet,
				as:         otherKey,
				method:     "GET",
				path:       "/photos?versioning",
				status:     403,
			},
		},
		{
			name: "AWS's Deny without TLS",
			test: row{
				statements: insecure,
				as:         nobody,
				method:     "GET",
				path:       "/photos/k",
				status:     403,
			},
		},
		{
			name: "AWS's Deny without TLS, for the owner",
			test: row{
				statements: insecure,
				as:         ownerKey,
				method:     "GET",
				path:       "/photos/k",
				status:     403,
			},
		},
		{
			name: "a Deny with TLS",
			test: row{
				statements: allowGet + "," + denyStatement("s3:*", inKeys, `{"Bool":{"aws:SecureTransport":true}}`),
				as:         nobody,
				method:     "GET",
				path:       "/photos/k",
				status:     200,
			},
		},
		{
			name: "a Deny with NotPrincipal",
			test: row{
				statements: allowGet + `,{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"s3:*","Resource":` + inKeys + `}`,
				as:         nobody,
				method:     "GET",
				path:       "/photos/k",
				status:     403,
			},
		},
		{
			name: "a Deny with NotPrincipal, for the one",
			test: row{
				statements: allowGet + `,{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"s3:*","Resource":` + inKeys + `}`,
				as:         ownerKey,
				method:     "GET",
				path:       "/photos/k",
				status:     200,
			},
		},
		{
			name: "a Deny of all, for the owner",
			test: row{
				statements: denyStatement("s3:*", inKeys, ""),
				as:         ownerKey,
				method:     "PUT",
				path:       "/photos/k",
				status:     403,
			},
		},
		{
			name: "a Deny of all, for the policy",
			test: row{
				statements: denyStatement("s3:*", `["arn:aws:s3:::photos","arn:aws:s3:::photos/*"]`, ""),
				as:         ownerKey,
				method:     "GET",
				path:       "/photos?policy",
				status:     200,
			},
		},
		{
			name: "a Deny of a policy's status",
			test: row{
				statements: denyStatement("s3:*", `["arn:aws:s3:::photos","arn:aws:s3:::photos/*"]`, ""),
				as:         ownerKey,
				method:     "GET",
				path:       "/photos?policyStatus",
				status:     403,
			},
		},
		{
			name: "a Deny of all, for the policy of another",
			test: row{
				statements: denyStatement("s3:*", inBucket, "") + "," + allowStatement("s3:*", inBucket, ""),
				as:         otherKey,
				method:     "GET",
				path:       "/photos?policy",
				status:     403,
			},
		},
		{
			name: "an account by its id",
			test: row{
				statements: strings.Replace(allowGet, `"*"`, `{"AWS":"210987654321"}`, 1),
				as:         otherKey,
				method:     "GET",
				path:       "/photos/k",
				status:     200,
			},
		},
		{
			name: "an account by its ARN",
			test: row{
				statements: strings.Replace(allowGet, `"*"`,
					`{"AWS":["arn:aws:iam::1:root","arn:aws:iam::210987654321:root"]}`, 1),
				as:     otherKey,
				method: "GET",
				path:   "/photos/k",
				status: 200,
			},
		},
		{
			name: "an account, for nobody",
			test: row{
				statements: strings.Replace(allowGet, `"*"`, `{"AWS":"210987654321"}`, 1),
				as:         nobody,
				method:     "GET",
				path:       "/photos/k",
				status:     403,
			},
		},
		{
			name: "another account",
			test: row{
				statements: strings.Replace(allowGet, `"*"`, `{"AWS":"333333333333"}`, 1),
				as:         otherKey,
				method:     "GET",
				path:       "/photos/k",
				status:     403,
			},
		},
		{
			name: "a user that is not here",
			test: row{
				statements: strings.Replace(allowGet, `"*"`, `{"AWS":"arn:aws:iam::210987654321:user/bob"}`, 1),
				as:         otherKey,
				method:     "GET",
				path:       "/photos/k",
				status:     403,
			},
		},
		{
			name: "a service",
			test: row{
				statements: strings.Replace(allowGet, `"*"`, `{"Service":"logging.s3.amazonaws.com"}`, 1),
				as:         otherKey,
				method:     "GET",
				path:       "/photos/k",
				status:     403,
			},
		},
		{
			name: "an action with a wildcard",
			test: row{
				statements: allowStatement("s3:Get*", inKeys, ""),
				as:         nobody,
				method:     "GET",
				path:       "/photos/k",
				status:     200,
			},
		},
		{
			name: "an action in other case",
			test: row{
				statements: allowStatement("S3:getobject", inKeys, ""),
				as:         nobody,
				method:     "GET",
				path:       "/photos/k",
				status:     200,
			},
		},
		{
			name: "a NotAction",
			test: row{
				statements: `{"Effect":"Allow","Principal":"*","NotAction":"s3:GetObject","Resource":` + inKeys + `}`,
				as:         nobody,
				method:     "GET",
				path:       "/photos/k",
				status:     403,
			},
		},
		{
			name: "a NotAction, for another",
			test: row{
				statements: `{"Effect":"Allow","Principal":"*","NotAction":"s3:GetObject","Resource":` + inKeys + `}`,
				as:         nobody,
				method:     "PUT",
				path:       "/photos/k",
				status:     200,
			},
		},
		{
			name: "a NotResource",
			test: row{
				statements: `{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","NotResource":"arn:aws:s3:::photos/k*"}`,
				as:         nobody,
				method:     "GET",
				path:       "/photos/k",
				status:     403,
			},
		},
		{
			name: "a NotResource, for another",
			test: row{
				statements: `{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","NotResource":"arn:aws:s3:::photos/l*"}`,
				as:         nobody,
				method:     "GET",
				path:       "/photos/k",
				status:     200,
			},
		},
		{
			name: "a resource with a question mark",
			test: row{
				statements: allowStatement("s3:GetObject", `"arn:aws:s3:::photos/?"`, ""),
				as:         nobody,
				method:     "GET",
				path:       "/photos/k",
				status:     200,
			},
		},
		{
			name: "an object's action on the bucket",
			test: row{
				statements: allowStatement("s3:GetObject", `"arn:aws:s3:::photos*"`, ""),
				as:         nobody,
				method:     "GET",
				path:       "/photos/k",
				status:     200,
			},
		},
		{
			name: "a missing key",
			test: row{statements: allowGet, as: otherKey, method: "GET", path: "/photos/none", status: 403},
		},
		{
			name: "a missing key that may be listed",
			test: row{
				statements: allowGet + "," + allowStatement("s3:ListBucket", inBucket,
					`{"StringLike":{"s3:prefix":"no*"}}`),
				as:     otherKey,
				method: "GET",
				path:   "/photos/none",
				status: 404,
			},
		},
		{
			name: "a missing key that may not be listed",
			test: row{
				statements: allowGet + "," + allowStatement("s3:ListBucket", inBucket,
					`{"StringLike":{"s3:prefix":"x*"}}`),
				as:     otherKey,
				method: "GET",
				path:   "/photos/none",
				status: 403,
			},
		},
		{
			name: "an address of ours",
			test: row{
				statements: allowStatement("s3:GetObject", inKeys, loopback),
				as:         nobody,
				method:     "GET",
				path:       "/photos/k",
				status:     200,
			},
		},
		{
			name: "an address elsewhere",
			test: row{
				statements: allowStatement("s3:GetObject", inKeys, elsewhere),
				as:         nobody,
				method:     "GET",
				path:       "/photos/k",
				status:     403,
			},
		},
		{
			name: "not an address",
			test: row{
				statements: allowGet + "," + denyStatement("s3:GetObject", inKeys,
					`{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`),
				as:     ownerKey,
				method: "GET",
				path:   "/photos/k",
				status: 403,
			},
		},
		{
			name: "a referer",
			test: row{
				statements: allowStatement("s3:GetObject", inKeys, `{"StringLike":{"aws:Referer":"http://e.com/*"}}`),
				as:         nobody,
				method:     "GET",
				path:       "/photos/k",
				header:     headerOf("Referer", "http://e.com/x"),
				status:     200,
			},
		},
		{
			name: "no referer",
			test: row{
				statements: allowStatement("s3:GetObject", inKeys, `{"StringLike":{"aws:Referer":"http://e.com/*"}}`),
				as:         nobody,
				method:     "GET",
				path:       "/photos/k",
				status:     403,
			},
		},
		{
			name: "no referer, if there is one",
			test: row{
				statements: allowStatement("s3:GetObject", inKeys,
					`{"StringLikeIfExists":{"aws:Referer":"http://e.com/*"}}`),
				as:     nobody,
				method: "GET",
				path:   "/photos/k",
				status: 200,
			},
		},
		{
			name: "a user agent",
			test: row{
				statements: allowStatement("s3:GetObject", inKeys,
					`{"StringNotEqualsIgnoreCase":{"aws:UserAgent":"BOT"}}`),
				as:     nobody,
				method: "GET",
				path:   "/photos/k",
				header: headerOf("User-Agent", "bot"),
				status: 403,
			},
		},
		{
			name: "a prefix",
			test: row{
				statements: allowStatement("s3:ListBucket", inBucket,
					`{"StringEquals":{"s3:prefix":["a/","b/"],"s3:delimiter":"/"}}`),
				as:     nobody,
				method: "GET",
				path:   "/photos?list-type=2&prefix=b/&delimiter=/",
				status: 200,
			},
		},
		{
			name: "a resource with a star as a character",
			test: row{
				statements: allowStatement("s3:GetObject", `"arn:aws:s3:::photos/${*}"`, ""),
				as:         nobody,
				method:     "GET",
				path:       "/photos/k",
				status:     403,
			},
		},
		{
			name: "a prefix with a star as a character",
			test: row{
				statements: allowStatement("s3:ListBucket", inBucket, `{"StringLike":{"s3:prefix":"a${*}/*"}}`),
				as:         nobody,
				method:     "GET",
				path:       "/photos?list-type=2&prefix=a*/b",
				status:     200,
			},
		},
		{
			name: "a prefix that the star would match",
			test: row{
				statements: allowStatement("s3:ListBucket", inBucket, `{"StringLike":{"s3:prefix":"a${*}/*"}}`),
				as:         nobody,
				method:     "GET",
				path:       "/photos?list-type=2&prefix=ab/b",
				status:     403,
			},
		},
		{
			name: "an equal prefix with a dollar sign",
			test: row{
				statements: allowStatement("s3:ListBucket", inBucket, `{"StringEquals":{"s3:prefix":"${$}{a}"}}`),
				as:         nobody,
				method:     "GET",
				path:       "/photos?list-type=2&prefix=$%7Ba%7D",
				status:     200,
			},
		},
		{
			name: "another prefix",
			test: row{
				statements: allowStatement("s3:ListBucket", inBucket, `{"StringEquals":{"s3:prefix":["a/","b/"]}}`),
				as:         nobody,
				method:     "GET",
				path:       "/photos?list-type=2&prefix=c/",
				status:     403,
			},
		},
		{
			name: "a prefix, and another one that counts",
			test: row{
				statements: allowStatement("s3:ListBucket", inBucket, `{"StringEquals":{"s3:prefix":["a/","b/"]}}`),
				as:         nobody,
				method:     "GET",
				path:       "/photos?list-type=2&prefix=c/&prefix=b/",
				status:     403,
			},
		},
		{
			name: "a version that a Deny names, in a source",
			test: row{
				statements: denyStatement("s3:GetObjectVersion", inKeys, `{"StringEquals":{"s3:VersionId":"null"}}`),
				as:         ownerKey,
				method:     "PUT",
				path:       "/photos/l",
				header:     headerOf("X-Amz-Copy-Source", "/photos/k?versionId=null"),
				status:     403,
			},
		},
		{
			name: "tags of a source, without permission",
			test: row{
				statements: allowStatement("s3:GetObject", inKeys, "") + "," + allowStatement("s3:PutObject*", inKeys, ""),
				as:         otherKey,
				method:     "PUT",
				path:       "/photos/l",
				header:     headerOf("X-Amz-Copy-Source", "/photos/tagged"),
				status:     403,
			},
		},
		{
			name: "tags of a source, with permission",
			test: row{
				statements: allowStatement("s3:GetObject*", inKeys, "") + "," + allowStatement("s3:PutObject*", inKeys, ""),
				as:         otherKey,
				method:     "PUT",
				path:       "/photos/l",
				header:     headerOf("X-Amz-Copy-Source", "/photos/tagged"),
				status:     200,
			},
		},
		{
			name: "tags of a source, for a copy without",
			test: row{
				statements: allowStatement("s3:GetObject*", inKeys, "") + "," + allowStatement("s3:PutObject", inKeys, ""),
				as:         otherKey,
				method:     "PUT",
				path:       "/photos/l",
				header:     headerOf("X-Amz-Copy-Source", "/photos/tagged"),
				status:     403,
			},
		},
		{
			name: "tags of a source that are replaced",
			test: row{
				statements: allowStatement("s3:GetObject", inKeys, "") + "," + allowStatement("s3:PutObject", inKeys, ""),
				as:         otherKey,
				method:     "PUT",
				path:       "/photos/l",
				header:     headerOf("X-Amz-Copy-Source", "/photos/tagged", "X-Amz-Tagging-Directive", "REPLACE"),
				status:     200,
			},
		},
		{
			name: "tags of a source that a Deny names",
			test: row{
				statements: denyStatement("s3:GetObjectTagging", inKeys, ""),
				as:         ownerKey,
				method:     "PUT",
				path:       "/photos/l",
				header:     headerOf("X-Amz-Copy-Source", "/photos/tagged"),
				status:     403,
			},
		},
		{
			name: "no prefix",
			test: row{
				statements: allowStatement("s3:ListBucket", inBucket, `{"StringEquals":{"s3:prefix":""}}`),
				as:         nobody,
				method:     "GET",
				path:       "/photos?list-type=2",
				status:     403,
			},
		},
		{
			name: "an entity tag, without permission to read",
			test: row{
				statements: denyStatement("s3:GetObject", inKeys, ""),
				as:         ownerKey,
				method:     "PUT",
				path:       "/photos/k",
				header:     headerOf("If-Match", `"x"`),
				status:     403,
			},
		},
		{
			name: "an entity tag, with permission to read",
			test: row{
				statements: denyStatement("s3:GetObjectAcl", inKeys, ""),
				as:         ownerKey,
				method:     "PUT",
				path:       "/photos/k",
				header:     headerOf("If-Match", `"x"`),
				status:     412,
			},
		},
		{
			name: "any entity tag",
			test: row{
				statements: denyStatement("s3:GetObject", inKeys, ""),
				as:         ownerKey,
				method:     "PUT",
				path:       "/photos/k",
				header:     headerOf("If-Match", "*"),
				status:     200,
			},
		},
		{
			name: "an entity tag of what is removed",
			test: row{
				statements: denyStatement("s3:GetObject", inKeys, ""),
				as:         ownerKey,
				method:     "DELETE",
				path:       "/photos/k",
				header:     headerOf("If-Match", `"x"`),
				status:     403,
			},
		},
		{
			name: "a page's size",
			test: row{
				statements: allowStatement("s3:ListBucket", inBucket, `{"NumericLessThanEquals":{"s3:max-keys":10}}`),
				as:         nobody,
				method:     "GET",
				path:       "/photos?list-type=2&max-keys=10",
				status:     200,
			},
		},
		{
			name: "a page that is too large",
			test: row{
				statements: allowStatement("s3:ListBucket", inBucket, `{"NumericLessThanEquals":{"s3:max-keys":"10"}}`),
				as:         nobody,
				method:     "GET",
				path:       "/photos?list-type=2&max-keys=11",
				status:     403,
			},
		},
		{
			name: "a tag of the object",
			test: row{
				statements: allowStatement("s3:GetObject", inKeys,
					`{"StringEquals":{"s3:ExistingObjectTag/kind":"public"}}`),
				as:     nobody,
				method: "GET",
				path:   "/photos/tagged",
				status: 200,
			},
		},
		{
			name: "no tag of the object",
			test: row{
				statements: allowStatement("s3:GetObject", inKeys,
					`{"StringEquals":{"s3:ExistingObjectTag/kind":"public"}}`),
				as:     nobody,
				method: "GET",
				path:   "/photos/k",
				status: 403,
			},
		},
		{
			name: "a tag of an object that is overwritten",
			test: row{
				statements: allowStatement("s3:PutObject", inKeys,
					`{"StringEquals":{"s3:ExistingObjectTag/kind":"public"}}`),
				as:     otherKey,
				method: "PUT",
				path:   "/photos/tagged",
				status: 403,
			},
		},
		{
			name: "a tag of an object that is removed",
			test: row{
				statements: allowStatement("s3:DeleteObject", inKeys,
					`{"StringEquals":{"s3:ExistingObjectTag/kind":"public"}}`),
				as:     otherKey,
				method: "DELETE",
				path:   "/photos/tagged",
				status: 403,
			},
		},
		{
			name: "a Deny of overwriting without a tag",
			test: row{
				statements: denyStatement("s3:PutObject", inKeys,
					`{"StringNotEquals":{"s3:ExistingObjectTag/kind":"public"}}`),
				as:     ownerKey,
				method: "PUT",
				path:   "/photos/tagged",
				status: 403,
			},
		},
		{
			name: "a tag of the write",
			test: row{
				statements: allowStatement("s3:PutObject*", inKeys,
					`{"StringEquals":{"s3:RequestObjectTag/kind":"public"}}`),
				as:     otherKey,
				method: "PUT",
				path:   "/photos/k",
				header: headerOf("X-Amz-Tagging", "kind=public"),
				status: 200,
			},
		},
		{
			name: "no tag of the write",
			test: row{
				statements: allowStatement("s3:PutObject*", inKeys,
					`{"StringEquals":{"s3:RequestObjectTag/kind":"public"}}`),
				as:     otherKey,
				method: "PUT",
				path:   "/photos/k",
				status: 403,
			},
		},
		{
			name: "all names of tags",
			test: row{
				statements: allowStatement("s3:PutObject*", inKeys,
					`{"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["kind","size"]}}`),
				as:     otherKey,
				method: "PUT",
				path:   "/photos/k",
				header: headerOf("X-Amz-Tagging", "kind=a&size=b"),
				status: 200,
			},
		},
		{
			name: "not all names of tags",
			test: row{
				statements: allowStatement("s3:PutObject*", inKeys,
					`{"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["kind","size"]}}`),
				as:     otherKey,
				method: "PUT",
				path:   "/photos/k",
				header: headerOf("X-Amz-Tagging", "kind=a&shape=b"),
				status: 403,
			},
		},
		{
			name: "any name of tags",
			test: row{
				statements: allowStatement("s3:PutObject*", inKeys,
					`{"ForAnyValue:StringEquals":{"s3:RequestObjectTagKeys":["kind","size"]}}`),
				as:     otherKey,
				method: "PUT",
				path:   "/photos/k",
				header: headerOf("X-Amz-Tagging", "kind=a&shape=b"),
				status: 200,
			},
		},
		{
			name: "no name of tags",
			test: row{
				statements: allowStatement("s3:PutObject*", inKeys,
					`{"ForAnyValue:StringEquals":{"s3:RequestObjectTagKeys":["kind","size"]}}`),
				as:     otherKey,
				method: "PUT",
				path:   "/photos/k",
				status: 403,
			},
		},
		{
			name: "tags without permission",
			test: row{
				statements: allowStatement("s3:PutObject", inKeys, ""),
				as:         otherKey,
				method:     "PUT",
				path:       "/photos/k",
				header:     headerOf("X-Amz-Tagging", "kind=public"),
				status:     403,
			},
		},
		{
			name: "encryption that is missing",
			test: row{
				statements: denyStatement("s3:PutObject", inKeys,
					`{"Null":{"s3:x-amz-server-side-encryption":"true"}}`),
				as:     ownerKey,
				method: "PUT",
				path:   "/photos/k",
				status: 403,
			},
		},
		{
			name: "encryption that is there",
			test: row{
				statements: denyStatement("s3:PutObject", inKeys,
					`{"Null":{"s3:x-amz-server-side-encryption":"true"}}`),
				as:     ownerKey,
				method: "PUT",
				path:   "/photos/k",
				header: headerOf("X-Amz-Server-Side-Encryption", "AES256"),
				status: 200,
			},
		},
		{
			name: "another encryption",
			test: row{
				statements: denyStatement("s3:PutObject", inKeys,
					`{"StringNotEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}`),
				as:     ownerKey,
				method: "PUT",
				path:   "/photos/k",
				header: headerOf("X-Amz-Server-Side-Encryption", "AES256"),
				status: 403,
			},
		},
		{
			name: "no encryption, and not another",
			test: row{
				statements: denyStatement("s3:PutObject", inKeys,
					`{"StringNotEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}`),
				as:     ownerKey,
				method: "PUT",
				path:   "/photos/k",
				status: 403,
			},
		},
		{
			name: "a canned list that a Deny names",
			test: row{
				statements: denyStatement("s3:PutObject", inKeys, `{"StringLike":{"s3:x-amz-acl":"bucket-*"}}`),
				as:         ownerKey,
				method:     "PUT",
				path:       "/photos/k",
				header:     headerOf("X-Amz-Acl", "bucket-owner-full-control"),
				status:     403,
			},
		},
		{
			name: "a canned list without permission",
			test: row{
				statements: allowStatement("s3:PutObject", inKeys, ""),
				as:         otherKey,
				method:     "PUT",
				path:       "/photos/k",
				header:     headerOf("X-Amz-Acl", "bucket-owner-full-control"),
				status:     403,
			},
		},
		{
			name: "a canned list with permission",
			test: row{
				statements: allowStatement("s3:PutObject*", inKeys,
					`{"StringEquals":{"s3:x-amz-acl":"bucket-owner-full-control"}}`),
				as:     otherKey,
				method: "PUT",
				path:   "/photos/k",
				header: headerOf("X-Amz-Acl", "bucket-owner-full-control"),
				status: 200,
			},
		},
		{
			name: "a time that has come",
			test: row{
				statements: allowStatement("s3:GetObject", inKeys,
					`{"DateGreaterThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"},"DateLessThan":{"aws:EpochTime":"4102444800"}}`),
				as:     nobody,
				method: "GET",
				path:   "/photos/k",
				status: 200,
			},
		},
		{
			name: "a time that has not come",
			test: row{
				statements: allowStatement("s3:GetObject", inKeys,
					`{"DateGreaterThan":{"aws:CurrentTime":"2100-01-01"}}`),
				as:     nobody,
				method: "GET",
				path:   "/photos/k",
				status: 403,
			},
		},
		{
			name: "two conditions of which one fails",
			test: row{
				statements: allowStatement("s3:GetObject", inKeys,
					`{"IpAddress":{"aws:SourceIp":"127.0.0.1"},"StringEquals":{"aws:Referer":"x"}}`),
				as:     nobody,
				method: "GET",
				path:   "/photos/k",
				status: 403,
			},
		},
		{
			name: "a condition of a VPC",
			test: row{
				statements: allowStatement("s3:GetObject", inKeys, `{"StringEquals":{"aws:SourceVpce":"vpce-1"}}`),
				as:         ownerKey,
				method:     "GET",
				path:       "/photos/k",
				status:     200,
			},
		},
		{
			name: "a Deny outside a VPC",
			test: row{
				statements: denyStatement("s3:GetObject", inKeys, `{"StringNotEquals":{"aws:SourceVpce":"vpce-1"}}`),
				as:         ownerKey,
				method:     "GET",
				path:       "/photos/k",
				status:     403,
			},
		},
		{
			name: "an account as a condition",
			test: row{
				statements: allowStatement("s3:GetObject", inKeys,
					`{"StringEquals":{"aws:PrincipalAccount":"210987654321"}}`),
				as:     otherKey,
				method: "GET",
				path:   "/photos/k",
				status: 200,
			},
		},
		{
			name: "an ARN as a condition",
			test: row{
				statements: allowStatement("s3:GetObject", inKeys,
					`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:root"}}`),
				as:     otherKey,
				method: "GET",
				path:   "/photos/k",
				status: 200,
			},
		},
		{
			name: "an ARN as a condition, for nobody",
			test: row{
				statements: allowStatement("s3:GetObject", inKeys,
					`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:root"}}`),
				as:     nobody,
				method: "GET",
				path:   "/photos/k",
				status: 403,
			},
		},
		{
			name: "the source of a copy",
			test: row{
				statements: denyStatement("s3:PutObject", inKeys,
					`{"StringLike":{"s3:x-amz-copy-source":"photos/ta*"}}`),
				as:     ownerKey,
				method: "PUT",
				path:   "/photos/l",
				header: headerOf("X-Amz-Copy-Source", "/photos/tagged"),
				status: 403,
			},
		},
		{
			name: "a source that may not be read",
			test: row{
				statements: denyStatement("s3:GetObject", `"arn:aws:s3:::photos/tagged"`, ""),
				as:         ownerKey,
				method:     "PUT",
				path:       "/photos/l",
				header:     headerOf("X-Amz-Copy-Source", "/photos/tagged"),
				status:     403,
			},
		},
		{
			name: "a write only with a condition",
			test: row{
				statements: denyStatement("s3:PutObject", inKeys,
					`{"Null":{"s3:if-none-match":"true"},"Bool":{"s3:ObjectCreationOperation":"true"}}`),
				as:     ownerKey,
				method: "PUT",
				path:   "/photos/l",
				status: 403,
			},
		},
		{
			name: "a write with a condition",
			test: row{
				statements: denyStatement("s3:PutObject", inKeys,
					`{"Null":{"s3:if-none-match":"true"},"Bool":{"s3:ObjectCreationOperation":"true"}}`),
				as:     ownerKey,
				method: "PUT",
				path:   "/photos/l",
				header: headerOf("If-None-Match", "*"),
				status: 200,
			},
		},
		{
			name: "a version without its own permission",
			test: row{
				statements: allowGet,
				as:         nobody,
				method:     "GET",
				path:       "/photos/k?versionId=null",
				status:     403,
			},
		},
		{
			name: "a version with its own permission",
			test: row{
				statements: allowStatement("s3:GetObjectVersion", inKeys, ""),
				as:         nobody,
				method:     "GET",
				path:       "/photos/k?versionId=null",
				status:     200,
			},
		},
		{
			name: "the owner's settings that a Deny names",
			test: row{
				statements: denyStatement("s3:GetBucketVersioning", inBucket, ""),
				as:         ownerKey,
				method:     "GET",
				path:       "/photos?versioning",
				status:     403,
			},
		},
		{
			name: "settings that another account may see",
			test: row{
				statements: allowStatement("s3:GetBucketVersioning", inBucket, ""),
				as:         otherKey,
				method:     "GET",
				path:       "/photos?versioning",
				status:     200,
			},
		},
		{
			name: "removals",
			test: row{
				statements: allowStatement("s3:DeleteObject", inKeys, ""),
				as:         nobody,
				method:     "DELETE",
				path:       "/photos/k",
				status:     204,
			},
		},
		{
			name: "tags of an object, for nobody",
			test: row{
				statements: allowGet,
				as:         nobody,
				method:     "GET",
				path:       "/photos/tagged?tagging",
				status:     403,
			},
		},
		{
			name: "tags of an object, with permission",
			test: row{
				statements: allowStatement("s3:GetObjectTagging", inKeys, ""),
				as:         nobody,
				method:     "GET",
				path:       "/photos/tagged?tagging",
				status:     200,
			},
		},
		{
			name: "a canonical id as the principal, not ours",
			test: row{
				statements: strings.Replace(allowGet, `"*"`,
					`{"CanonicalUser":"75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a"}`, 1),
				as:     otherKey,
				method: "GET",
				path:   "/photos/k",
				status: 403,
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startServer(t, s3server.Config{Credentials: twoAccounts})
			s.allowPublicAccess(t)
			s.put(t, "k", "content")
			tagged := putInput("tagged", "content")
			tagged.Tagging = aws.String("kind=public")
			_, err := s.PutObject(t.Context(), tagged)
			require.NoError(t, err)
			require.NoError(t, s.setPolicy(policy2012(tt.test.statements)))

			response, body := s.sendAs(t, tt.test.as, tt.test.method, tt.test.path, "", tt.test.header)
			require.Equal(t, tt.test.status, response.StatusCode, body)
		})
	}
}

// A policy can refuse an old signature of a URL or a form that has not expired yet.
func TestPolicyJudgesSignatureAge(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "k", "content")
	const tenMinutes = `{"NumericGreaterThan":{"s3:signatureAge":"600000"}}`
	require.NoError(t, s.setPolicy(policy2012(denyStatement("s3:*", inKeys, tenMinutes))))

	// The URL and the form are valid for an hour, and the policy allows ten minutes.
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
		name       string
		age        time.Duration
		getStatus  int
		formStatus int
	}{
		{name: "young", age: 9 * time.Minute, getStatus: 200, formStatus: 204},
		{name: "old", age: 11 * time.Minute, getStatus: 403, formStatus: 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.clock.move(tt.age)
			defer s.clock.move(-tt.age)

			response, body := s.send(t, "GET", presigned.URL, nil, nil)
			require.Equal(t, tt.getStatus, response.StatusCode, body)
			response, body = s.post(t, form.URL, form.Values, "hello")
			require.Equal(t, tt.formStatus, response.StatusCode, body)
		})
	}
}

// A policy's condition on the header X-Amz-Content-Sha256 does not apply to the query of a presigned URL.
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
		name      string
		statement string
		status    int
		code      string
	}{
		{
			name:      "an action on buckets with a resource of keys",
			statement: allowStatement("s3:ListBucket", inKeys, ""),
			status:    400,
			code:      "MalformedPolicy",
		},
		{
			name:      "an unknown action",
			statement: denyStatement("s3:FlyObject", inKeys, ""),
			status:    400,
			code:      "MalformedPolicy",
		},
		{
			name:      "a variable that the server does not support",
			statement: denyStatement("s3:*", `"arn:aws:s3:::photos/${aws:username}/*"`, ""),
			status:    501,
			code:      "NotImplemented",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			requireFailure(t, s.setPolicy(policy2012(tt.statement)), tt.status, tt.code)
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

	// With the policy, everybody may set any value but one, which even the owner may not set.
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

	// A short retention in governance mode is allowed, but no other one.
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

	// The policy permits the removal of objects in one folder, but not of named versions.
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

	tests := []struct{ signer, status int }{
		{signer: ownerKey, status: 200},
		{signer: otherKey, status: 403},
		{signer: nobody, status: 403},
	}
	for _, tt := range tests {
		response, _ := s.sendAs(t, tt.signer, "GET", "/photos/k", "", nil)
		require.Equal(t, tt.status, response.StatusCode)
	}
}

// The policy judges the headers of a multipart upload at CreateMultipartUpload, because its parts do not have
// them.
func TestPolicyJudgesUploadAtBegin(t *testing.T) {
	tests := []struct{ name, statements string }{
		{
			name: "encryption",
			statements: allowStatement("s3:PutObject", inKeys,
				"") + "," + denyStatement("s3:PutObject", inKeys, `{"StringNotEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}`),
		},
		{
			name: "a list",
			statements: allowStatement("s3:PutObject*", inKeys,
				`{"StringEquals":{"s3:x-amz-acl":"bucket-owner-full-control"}}`),
		},
		{
			name: "tags",
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

			_, err := other.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
				Bucket: aws.String(bucket),
				Key:    aws.String("k"),
			})
			requireFailure(t, err, 403, "AccessDenied")
			u, err := other.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
				Bucket:               aws.String(bucket),
				Key:                  aws.String("k"),
				ServerSideEncryption: "aws:kms",
				ACL:                  "bucket-owner-full-control",
				Tagging:              aws.String("kind=public"),
			})
			require.NoError(t, err)
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
			requireFailure(t, err, 403, "AccessDenied") // the source may not be read

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
			_, err = other.PutObject(t.Context(), putInput("k", "x"))
			requireFailure(t, err, 403, "AccessDenied")
		})
	}
}
