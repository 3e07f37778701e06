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

// openBucket removes what keeps policies and lists of a strict server from making a bucket
// public.
func (s *store) openBucket(t *testing.T) {
	t.Helper()
	_, err := s.DeletePublicAccessBlock(t.Context(), &s3.DeletePublicAccessBlockInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
}

func (s *store) setPolicy(document string) error {
	_, err := s.PutBucketPolicy(context.Background(), &s3.PutBucketPolicyInput{Bucket: aws.String(bucket), Policy: &document})
	return err
}

// sendAs sends a request that one of the keys of twoAccounts signs, or nobody with -1.
func (s *store) sendAs(t *testing.T, key int, method, path, body string, header map[string]string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.server.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	if key >= 0 {
		c := twoAccounts[key]
		r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		as := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretKey}
		require.NoError(t, v4.NewSigner(func(o *v4.SignerOptions) {
			o.DisableURIPathEscaping = true
		}).
			SignHTTP(t.Context(), as, r, "UNSIGNED-PAYLOAD", "s3", "us-east-1", time.Now()))
	}
	response, err := s.http.Do(r)
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	data, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response, string(data)
}

const (
	mine, others, nobody = 0, 1, -1
	inBucket             = `"arn:aws:s3:::photos"`
	inKeys               = `"arn:aws:s3:::photos/*"`
	allowGet             = `{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":` + inKeys + `}`
)

// allowing returns an Allow for everyone, and denying a Deny.
func allowing(action, resource, condition string) string {
	return statement("Allow", action, resource, condition)
}

func denying(action, resource, condition string) string {
	return statement("Deny", action, resource, condition)
}

func statement(effect, action, resource, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return fmt.Sprintf(`{"Effect":%q,"Principal":"*","Action":%q,"Resource":%s%s}`, effect, action, resource, condition)
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
	with := func(names ...string) map[string]string {
		header := map[string]string{}
		for i := 0; i < len(names); i += 2 {
			header[names[i]] = names[i+1]
		}
		return header
	}
	insecure := allowGet + "," + denying("s3:*", inKeys, `{"Bool":{"aws:SecureTransport":"false"}}`)
	loopback := `{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}`
	elsewhere := `{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","2001:db8::/32"]}}`
	for name, test := range map[string]row{
		"an Allow":                                  {allowGet, nobody, "GET", "/photos/k", nil, 200},
		"an Allow, for another account":             {allowGet, others, "GET", "/photos/k", nil, 200},
		"an Allow of something else":                {allowGet, nobody, "PUT", "/photos/k", nil, 403},
		"no Allow":                                  {allowGet, others, "GET", "/photos?versioning", nil, 403},
		"AWS's Deny without TLS":                    {insecure, nobody, "GET", "/photos/k", nil, 403},
		"AWS's Deny without TLS, for the owner":     {insecure, mine, "GET", "/photos/k", nil, 403},
		"a Deny with TLS":                           {allowGet + "," + denying("s3:*", inKeys, `{"Bool":{"aws:SecureTransport":true}}`), nobody, "GET", "/photos/k", nil, 200},
		"a Deny with NotPrincipal":                  {allowGet + `,{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"s3:*","Resource":` + inKeys + `}`, nobody, "GET", "/photos/k", nil, 403},
		"a Deny with NotPrincipal, for the one":     {allowGet + `,{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"s3:*","Resource":` + inKeys + `}`, mine, "GET", "/photos/k", nil, 200},
		"a Deny of all, for the owner":              {denying("s3:*", inKeys, ""), mine, "PUT", "/photos/k", nil, 403},
		"a Deny of all, for the policy":             {denying("s3:*", `["arn:aws:s3:::photos","arn:aws:s3:::photos/*"]`, ""), mine, "GET", "/photos?policy", nil, 200},
		"a Deny of a policy's status":               {denying("s3:*", `["arn:aws:s3:::photos","arn:aws:s3:::photos/*"]`, ""), mine, "GET", "/photos?policyStatus", nil, 403},
		"a Deny of all, for the policy of another":  {denying("s3:*", inBucket, "") + "," + allowing("s3:*", inBucket, ""), others, "GET", "/photos?policy", nil, 403},
		"an account by its id":                      {strings.Replace(allowGet, `"*"`, `{"AWS":"210987654321"}`, 1), others, "GET", "/photos/k", nil, 200},
		"an account by its ARN":                     {strings.Replace(allowGet, `"*"`, `{"AWS":["arn:aws:iam::1:root","arn:aws:iam::210987654321:root"]}`, 1), others, "GET", "/photos/k", nil, 200},
		"an account, for nobody":                    {strings.Replace(allowGet, `"*"`, `{"AWS":"210987654321"}`, 1), nobody, "GET", "/photos/k", nil, 403},
		"another account":                           {strings.Replace(allowGet, `"*"`, `{"AWS":"333333333333"}`, 1), others, "GET", "/photos/k", nil, 403},
		"a user that is not here":                   {strings.Replace(allowGet, `"*"`, `{"AWS":"arn:aws:iam::210987654321:user/bob"}`, 1), others, "GET", "/photos/k", nil, 403},
		"a service":                                 {strings.Replace(allowGet, `"*"`, `{"Service":"logging.s3.amazonaws.com"}`, 1), others, "GET", "/photos/k", nil, 403},
		"an action with a wildcard":                 {allowing("s3:Get*", inKeys, ""), nobody, "GET", "/photos/k", nil, 200},
		"an action in other case":                   {allowing("S3:getobject", inKeys, ""), nobody, "GET", "/photos/k", nil, 200},
		"a NotAction":                               {`{"Effect":"Allow","Principal":"*","NotAction":"s3:GetObject","Resource":` + inKeys + `}`, nobody, "GET", "/photos/k", nil, 403},
		"a NotAction, for another":                  {`{"Effect":"Allow","Principal":"*","NotAction":"s3:GetObject","Resource":` + inKeys + `}`, nobody, "PUT", "/photos/k", nil, 200},
		"a NotResource":                             {`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","NotResource":"arn:aws:s3:::photos/k*"}`, nobody, "GET", "/photos/k", nil, 403},
		"a NotResource, for another":                {`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","NotResource":"arn:aws:s3:::photos/l*"}`, nobody, "GET", "/photos/k", nil, 200},
		"a resource with a question mark":           {allowing("s3:GetObject", `"arn:aws:s3:::photos/?"`, ""), nobody, "GET", "/photos/k", nil, 200},
		"an object's action on the bucket":          {allowing("s3:GetObject", `"arn:aws:s3:::photos*"`, ""), nobody, "GET", "/photos/k", nil, 200},
		"a missing key":                             {allowGet, others, "GET", "/photos/none", nil, 403},
		"a missing key that may be listed":          {allowGet + "," + allowing("s3:ListBucket", inBucket, `{"StringLike":{"s3:prefix":"no*"}}`), others, "GET", "/photos/none", nil, 404},
		"a missing key that may not be listed":      {allowGet + "," + allowing("s3:ListBucket", inBucket, `{"StringLike":{"s3:prefix":"x*"}}`), others, "GET", "/photos/none", nil, 403},
		"an address of ours":                        {allowing("s3:GetObject", inKeys, loopback), nobody, "GET", "/photos/k", nil, 200},
		"an address elsewhere":                      {allowing("s3:GetObject", inKeys, elsewhere), nobody, "GET", "/photos/k", nil, 403},
		"not an address":                            {allowGet + "," + denying("s3:GetObject", inKeys, `{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`), mine, "GET", "/photos/k", nil, 403},
		"a referer":                                 {allowing("s3:GetObject", inKeys, `{"StringLike":{"aws:Referer":"http://e.com/*"}}`), nobody, "GET", "/photos/k", with("Referer", "http://e.com/x"), 200},
		"no referer":                                {allowing("s3:GetObject", inKeys, `{"StringLike":{"aws:Referer":"http://e.com/*"}}`), nobody, "GET", "/photos/k", nil, 403},
		"no referer, if there is one":               {allowing("s3:GetObject", inKeys, `{"StringLikeIfExists":{"aws:Referer":"http://e.com/*"}}`), nobody, "GET", "/photos/k", nil, 200},
		"a user agent":                              {allowing("s3:GetObject", inKeys, `{"StringNotEqualsIgnoreCase":{"aws:UserAgent":"BOT"}}`), nobody, "GET", "/photos/k", with("User-Agent", "bot"), 403},
		"a prefix":                                  {allowing("s3:ListBucket", inBucket, `{"StringEquals":{"s3:prefix":["a/","b/"],"s3:delimiter":"/"}}`), nobody, "GET", "/photos?list-type=2&prefix=b/&delimiter=/", nil, 200},
		"a resource with a star as a character":     {allowing("s3:GetObject", `"arn:aws:s3:::photos/${*}"`, ""), nobody, "GET", "/photos/k", nil, 403},
		"a prefix with a star as a character":       {allowing("s3:ListBucket", inBucket, `{"StringLike":{"s3:prefix":"a${*}/*"}}`), nobody, "GET", "/photos?list-type=2&prefix=a*/b", nil, 200},
		"a prefix that the star would match":        {allowing("s3:ListBucket", inBucket, `{"StringLike":{"s3:prefix":"a${*}/*"}}`), nobody, "GET", "/photos?list-type=2&prefix=ab/b", nil, 403},
		"an equal prefix with a dollar sign":        {allowing("s3:ListBucket", inBucket, `{"StringEquals":{"s3:prefix":"${$}{a}"}}`), nobody, "GET", "/photos?list-type=2&prefix=$%7Ba%7D", nil, 200},
		"another prefix":                            {allowing("s3:ListBucket", inBucket, `{"StringEquals":{"s3:prefix":["a/","b/"]}}`), nobody, "GET", "/photos?list-type=2&prefix=c/", nil, 403},
		"a prefix, and another one that counts":     {allowing("s3:ListBucket", inBucket, `{"StringEquals":{"s3:prefix":["a/","b/"]}}`), nobody, "GET", "/photos?list-type=2&prefix=c/&prefix=b/", nil, 403},
		"a version that a Deny names, in a source":  {denying("s3:GetObjectVersion", inKeys, `{"StringEquals":{"s3:VersionId":"null"}}`), mine, "PUT", "/photos/l", with("X-Amz-Copy-Source", "/photos/k?versionId=null"), 403},
		"tags of a source, without permission":      {allowing("s3:GetObject", inKeys, "") + "," + allowing("s3:PutObject*", inKeys, ""), others, "PUT", "/photos/l", with("X-Amz-Copy-Source", "/photos/tagged"), 403},
		"tags of a source, with permission":         {allowing("s3:GetObject*", inKeys, "") + "," + allowing("s3:PutObject*", inKeys, ""), others, "PUT", "/photos/l", with("X-Amz-Copy-Source", "/photos/tagged"), 200},
		"tags of a source, for a copy without":      {allowing("s3:GetObject*", inKeys, "") + "," + allowing("s3:PutObject", inKeys, ""), others, "PUT", "/photos/l", with("X-Amz-Copy-Source", "/photos/tagged"), 403},
		"tags of a source that are replaced":        {allowing("s3:GetObject", inKeys, "") + "," + allowing("s3:PutObject", inKeys, ""), others, "PUT", "/photos/l", with("X-Amz-Copy-Source", "/photos/tagged", "X-Amz-Tagging-Directive", "REPLACE"), 200},
		"tags of a source that a Deny names":        {denying("s3:GetObjectTagging", inKeys, ""), mine, "PUT", "/photos/l", with("X-Amz-Copy-Source", "/photos/tagged"), 403},
		"no prefix":                                 {allowing("s3:ListBucket", inBucket, `{"StringEquals":{"s3:prefix":""}}`), nobody, "GET", "/photos?list-type=2", nil, 403},
		"an entity tag, without permission to read": {denying("s3:GetObject", inKeys, ""), mine, "PUT", "/photos/k", with("If-Match", `"x"`), 403},
		"an entity tag, with permission to read":    {denying("s3:GetObjectAcl", inKeys, ""), mine, "PUT", "/photos/k", with("If-Match", `"x"`), 412},
		"any entity tag":                            {denying("s3:GetObject", inKeys, ""), mine, "PUT", "/photos/k", with("If-Match", "*"), 200},
		"an entity tag of what is removed":          {denying("s3:GetObject", inKeys, ""), mine, "DELETE", "/photos/k", with("If-Match", `"x"`), 403},
		"a page's size":                             {allowing("s3:ListBucket", inBucket, `{"NumericLessThanEquals":{"s3:max-keys":10}}`), nobody, "GET", "/photos?list-type=2&max-keys=10", nil, 200},
		"a page that is too large":                  {allowing("s3:ListBucket", inBucket, `{"NumericLessThanEquals":{"s3:max-keys":"10"}}`), nobody, "GET", "/photos?list-type=2&max-keys=11", nil, 403},
		"a tag of the object":                       {allowing("s3:GetObject", inKeys, `{"StringEquals":{"s3:ExistingObjectTag/kind":"public"}}`), nobody, "GET", "/photos/tagged", nil, 200},
		"no tag of the object":                      {allowing("s3:GetObject", inKeys, `{"StringEquals":{"s3:ExistingObjectTag/kind":"public"}}`), nobody, "GET", "/photos/k", nil, 403},
		"a tag of an object that is overwritten":    {allowing("s3:PutObject", inKeys, `{"StringEquals":{"s3:ExistingObjectTag/kind":"public"}}`), others, "PUT", "/photos/tagged", nil, 403},
		"a tag of an object that is removed":        {allowing("s3:DeleteObject", inKeys, `{"StringEquals":{"s3:ExistingObjectTag/kind":"public"}}`), others, "DELETE", "/photos/tagged", nil, 403},
		"a Deny of overwriting without a tag":       {denying("s3:PutObject", inKeys, `{"StringNotEquals":{"s3:ExistingObjectTag/kind":"public"}}`), mine, "PUT", "/photos/tagged", nil, 403},
		"a tag of the write":                        {allowing("s3:PutObject*", inKeys, `{"StringEquals":{"s3:RequestObjectTag/kind":"public"}}`), others, "PUT", "/photos/k", with("X-Amz-Tagging", "kind=public"), 200},
		"no tag of the write":                       {allowing("s3:PutObject*", inKeys, `{"StringEquals":{"s3:RequestObjectTag/kind":"public"}}`), others, "PUT", "/photos/k", nil, 403},
		"all names of tags":                         {allowing("s3:PutObject*", inKeys, `{"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["kind","size"]}}`), others, "PUT", "/photos/k", with("X-Amz-Tagging", "kind=a&size=b"), 200},
		"not all names of tags":                     {allowing("s3:PutObject*", inKeys, `{"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["kind","size"]}}`), others, "PUT", "/photos/k", with("X-Amz-Tagging", "kind=a&shape=b"), 403},
		"any name of tags":                          {allowing("s3:PutObject*", inKeys, `{"ForAnyValue:StringEquals":{"s3:RequestObjectTagKeys":["kind","size"]}}`), others, "PUT", "/photos/k", with("X-Amz-Tagging", "kind=a&shape=b"), 200},
		"no name of tags":                           {allowing("s3:PutObject*", inKeys, `{"ForAnyValue:StringEquals":{"s3:RequestObjectTagKeys":["kind","size"]}}`), others, "PUT", "/photos/k", nil, 403},
		"tags without permission":                   {allowing("s3:PutObject", inKeys, ""), others, "PUT", "/photos/k", with("X-Amz-Tagging", "kind=public"), 403},
		"encryption that is missing":                {denying("s3:PutObject", inKeys, `{"Null":{"s3:x-amz-server-side-encryption":"true"}}`), mine, "PUT", "/photos/k", nil, 403},
		"encryption that is there":                  {denying("s3:PutObject", inKeys, `{"Null":{"s3:x-amz-server-side-encryption":"true"}}`), mine, "PUT", "/photos/k", with("X-Amz-Server-Side-Encryption", "AES256"), 200},
		"another encryption":                        {denying("s3:PutObject", inKeys, `{"StringNotEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}`), mine, "PUT", "/photos/k", with("X-Amz-Server-Side-Encryption", "AES256"), 403},
		"no encryption, and not another":            {denying("s3:PutObject", inKeys, `{"StringNotEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}`), mine, "PUT", "/photos/k", nil, 403},
		"a canned list that a Deny names":           {denying("s3:PutObject", inKeys, `{"StringLike":{"s3:x-amz-acl":"bucket-*"}}`), mine, "PUT", "/photos/k", with("X-Amz-Acl", "bucket-owner-full-control"), 403},
		"a canned list without permission":          {allowing("s3:PutObject", inKeys, ""), others, "PUT", "/photos/k", with("X-Amz-Acl", "bucket-owner-full-control"), 403},
		"a canned list with permission":             {allowing("s3:PutObject*", inKeys, `{"StringEquals":{"s3:x-amz-acl":"bucket-owner-full-control"}}`), others, "PUT", "/photos/k", with("X-Amz-Acl", "bucket-owner-full-control"), 200},
		"a time that has come":                      {allowing("s3:GetObject", inKeys, `{"DateGreaterThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"},"DateLessThan":{"aws:EpochTime":"4102444800"}}`), nobody, "GET", "/photos/k", nil, 200},
		"a time that has not come":                  {allowing("s3:GetObject", inKeys, `{"DateGreaterThan":{"aws:CurrentTime":"2100-01-01"}}`), nobody, "GET", "/photos/k", nil, 403},
		"two conditions of which one fails":         {allowing("s3:GetObject", inKeys, `{"IpAddress":{"aws:SourceIp":"127.0.0.1"},"StringEquals":{"aws:Referer":"x"}}`), nobody, "GET", "/photos/k", nil, 403},
		"a condition of a VPC":                      {allowing("s3:GetObject", inKeys, `{"StringEquals":{"aws:SourceVpce":"vpce-1"}}`), mine, "GET", "/photos/k", nil, 200},
		"a Deny outside a VPC":                      {denying("s3:GetObject", inKeys, `{"StringNotEquals":{"aws:SourceVpce":"vpce-1"}}`), mine, "GET", "/photos/k", nil, 403},
		"an account as a condition":                 {allowing("s3:GetObject", inKeys, `{"StringEquals":{"aws:PrincipalAccount":"210987654321"}}`), others, "GET", "/photos/k", nil, 200},
		"an ARN as a condition":                     {allowing("s3:GetObject", inKeys, `{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:root"}}`), others, "GET", "/photos/k", nil, 200},
		"an ARN as a condition, for nobody":         {allowing("s3:GetObject", inKeys, `{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:root"}}`), nobody, "GET", "/photos/k", nil, 403},
		"the source of a copy":                      {denying("s3:PutObject", inKeys, `{"StringLike":{"s3:x-amz-copy-source":"photos/ta*"}}`), mine, "PUT", "/photos/l", with("X-Amz-Copy-Source", "/photos/tagged"), 403},
		"a source that may not be read":             {denying("s3:GetObject", `"arn:aws:s3:::photos/tagged"`, ""), mine, "PUT", "/photos/l", with("X-Amz-Copy-Source", "/photos/tagged"), 403},
		"a write only with a condition":             {denying("s3:PutObject", inKeys, `{"Null":{"s3:if-none-match":"true"},"Bool":{"s3:ObjectCreationOperation":"true"}}`), mine, "PUT", "/photos/l", nil, 403},
		"a write with a condition":                  {denying("s3:PutObject", inKeys, `{"Null":{"s3:if-none-match":"true"},"Bool":{"s3:ObjectCreationOperation":"true"}}`), mine, "PUT", "/photos/l", with("If-None-Match", "*"), 200},
		"a version without its own permission":      {allowGet, nobody, "GET", "/photos/k?versionId=null", nil, 403},
		"a version with its own permission":         {allowing("s3:GetObjectVersion", inKeys, ""), nobody, "GET", "/photos/k?versionId=null", nil, 200},
		"the owner's settings that a Deny names":    {denying("s3:GetBucketVersioning", inBucket, ""), mine, "GET", "/photos?versioning", nil, 403},
		"settings that another account may see":     {allowing("s3:GetBucketVersioning", inBucket, ""), others, "GET", "/photos?versioning", nil, 200},
		"removals":                                  {allowing("s3:DeleteObject", inKeys, ""), nobody, "DELETE", "/photos/k", nil, 204},
		"tags of an object, for nobody":             {allowGet, nobody, "GET", "/photos/tagged?tagging", nil, 403},
		"tags of an object, with permission":        {allowing("s3:GetObjectTagging", inKeys, ""), nobody, "GET", "/photos/tagged?tagging", nil, 200},
		"a canonical id as the principal, not ours": {strings.Replace(allowGet, `"*"`, `{"CanonicalUser":"75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a"}`, 1), others, "GET", "/photos/k", nil, 403},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, s3server.Config{Credentials: twoAccounts})
			s.openBucket(t)
			s.put(t, "k", "content")
			tagged := putInput("tagged", "content")
			tagged.Tagging = aws.String("kind=public")
			_, err := s.PutObject(t.Context(), tagged)
			require.NoError(t, err)
			require.NoError(t, s.setPolicy(`{"Version":"2012-10-17","Statement":[`+test.statements+`]}`))
			response, body := s.sendAs(t, test.as, test.method, test.path, "", test.header)
			require.Equal(t, test.status, response.StatusCode, body)
		})
	}
}

// The policy can limit the age of a signature, even if the signature is valid for longer.
func TestPolicyJudgesSignatureAge(t *testing.T) {
	s := start(t, s3server.Config{})
	s.put(t, "k", "content")
	require.NoError(t, s.setPolicy(`{"Version":"2012-10-17","Statement":[`+denying("s3:*", inKeys, `{"NumericGreaterThan":{"s3:signatureAge":"600000"}}`)+`]}`))
	signer := s3.NewPresignClient(s.Client, s3.WithPresignExpires(time.Hour))
	presigned, err := signer.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
	require.NoError(t, err)
	form, err := signer.PresignPostObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")}, func(o *s3.PresignPostOptions) {
		o.Expires = time.Hour
	})
	require.NoError(t, err)
	for name, test := range map[string]struct {
		age       time.Duration
		got, sent int
	}{
		"young": {9 * time.Minute, 200, 204},
		"old":   {11 * time.Minute, 403, 403},
	} {
		t.Run(name, func(t *testing.T) {
			s.clock.move(test.age)
			defer s.clock.move(-test.age)
			response, body := s.send(t, "GET", presigned.URL, nil, nil)
			require.Equal(t, test.got, response.StatusCode, body)
			response, body = s.post(t, form.URL, form.Values, "hello")
			require.Equal(t, test.sent, response.StatusCode, body)
		})
	}
}

// X-Amz-Content-Sha256 in the query of a presigned URL does not count as the header to which a policy's condition
// refers.
func TestPolicyIgnoresHashInQuery(t *testing.T) {
	s := start(t, s3server.Config{Credentials: twoAccounts})
	s.put(t, "k", "content")
	require.NoError(t, s.setPolicy(`{"Version":"2012-10-17","Statement":[`+denying("s3:*", inKeys, `{"StringEquals":{"s3:x-amz-content-sha256":"UNSIGNED-PAYLOAD"}}`)+`]}`))
	response, body := s.sendAs(t, mine, "GET", "/photos/k", "", nil)
	require.Equal(t, 403, response.StatusCode, body)
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.server.URL+"/photos/k?X-Amz-Expires=60&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD", nil) // as the SDK for JavaScript signs
	require.NoError(t, err)
	as := aws.Credentials{AccessKeyID: twoAccounts[mine].AccessKeyID, SecretAccessKey: twoAccounts[mine].SecretKey}
	signed, _, err := v4.NewSigner().PresignHTTP(t.Context(), as, r, "UNSIGNED-PAYLOAD", "s3", "us-east-1", time.Now())
	require.NoError(t, err)
	response, body = s.send(t, "GET", signed, nil, nil)
	require.Equal(t, 200, response.StatusCode, body)
}

// PutBucketPolicy refuses policies that the server does not understand.
func TestPolicyRefused(t *testing.T) {
	s := startLenient(t, s3server.Config{Credentials: twoAccounts})
	failsWith(t, s.setPolicy(`{"Version":"2012-10-17","Statement":[`+allowing("s3:ListBucket", inKeys, "")+`]}`), 400, "MalformedPolicy")
	failsWith(t, s.setPolicy(`{"Version":"2012-10-17","Statement":[`+denying("s3:FlyObject", inKeys, "")+`]}`), 400, "MalformedPolicy")
	failsWith(t, s.setPolicy(`{"Version":"2012-10-17","Statement":[`+denying("s3:*", `"arn:aws:s3:::photos/${aws:username}/*"`, "")+`]}`), 501, "NotImplemented")
}

// GetBucketPolicyStatus of a bucket without a policy fails with NoSuchBucketPolicy, even if an ACL makes the
// bucket public.
func TestPolicyStatusMissing(t *testing.T) {
	s := startLenient(t, s3server.Config{})
	s.own(t, types.ObjectOwnershipObjectWriter)
	_, err := s.PutBucketAcl(t.Context(), &s3.PutBucketAclInput{Bucket: aws.String(bucket), ACL: types.BucketCannedACLPublicRead})
	require.NoError(t, err)
	_, err = s.GetBucketPolicyStatus(t.Context(), &s3.GetBucketPolicyStatusInput{Bucket: aws.String(bucket)})
	failsWith(t, err, 404, "NoSuchBucketPolicy")
}

// GetBucketPolicyStatus reports whether the policy counts as public by AWS's definition. A policy with only a Deny
// does not.
func TestPolicyStatusIsAWSsRule(t *testing.T) {
	s := start(t, s3server.Config{})
	failsWith(t, s.setPolicy(`{"Version":"2012-10-17","Statement":[`+allowGet+`]}`), 403, "AccessDenied") // of the default public access block
	require.NoError(t, s.setPolicy(`{"Version":"2012-10-17","Statement":[`+denying("s3:GetObject", inKeys, "")+`]}`))
	status, err := s.GetBucketPolicyStatus(t.Context(), &s3.GetBucketPolicyStatusInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	require.False(t, *status.PolicyStatus.IsPublic)
}

// The policy judges tags in a document like tags in a header.
func TestPolicyJudgesTagsOfDocument(t *testing.T) {
	s := start(t, s3server.Config{Credentials: twoAccounts})
	s.openBucket(t)
	s.put(t, "k", "content")
	put := func(client *s3.Client, value string) error {
		_, err := client.PutObjectTagging(t.Context(), &s3.PutObjectTaggingInput{
			Bucket:  aws.String(bucket),
			Key:     aws.String("k"),
			Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("kind"), Value: &value}}},
		})
		return err
	}
	failsWith(t, put(s.clientOf(others), "x"), 403, "AccessDenied")
	require.NoError(t, s.setPolicy(`{"Statement":[`+allowing("s3:PutObjectTagging", inKeys, "")+","+
		denying("s3:PutObjectTagging", inKeys, `{"StringEquals":{"s3:RequestObjectTag/kind":"secret"}}`)+`]}`))
	require.NoError(t, put(s.clientOf(others), "x"))
	failsWith(t, put(s.clientOf(others), "secret"), 403, "AccessDenied")
	failsWith(t, put(s.Client, "secret"), 403, "AccessDenied")
}

// The policy judges a lock in a document like a lock in a header.
func TestPolicyJudgesLockOfDocument(t *testing.T) {
	s := startLocking(t)
	s.lock(t, "k", types.ObjectLockModeGovernance)
	retain := func(mode types.ObjectLockRetentionMode, days int) error {
		_, err := s.PutObjectRetention(t.Context(), &s3.PutObjectRetentionInput{
			Bucket:                    aws.String(locking),
			Key:                       aws.String("k"),
			BypassGovernanceRetention: aws.Bool(true),
			Retention:                 &types.ObjectLockRetention{Mode: mode, RetainUntilDate: aws.Time(s.clock.now().AddDate(0, 0, days))},
		})
		return err
	}
	hold := func(status types.ObjectLockLegalHoldStatus) error {
		_, err := s.PutObjectLegalHold(t.Context(), &s3.PutObjectLegalHoldInput{Bucket: aws.String(locking), Key: aws.String("k"), LegalHold: &types.ObjectLockLegalHold{Status: status}})
		return err
	}
	const keys = `"arn:aws:s3:::locking/*"`
	document := `{"Statement":[` + denying("s3:PutObjectRetention", keys, `{"NumericGreaterThan":{"s3:object-lock-remaining-retention-days":"10"}}`) + "," +
		denying("s3:PutObjectRetention", keys, `{"StringEquals":{"s3:object-lock-mode":"COMPLIANCE"}}`) + "," +
		denying("s3:PutObjectLegalHold", keys, `{"StringEquals":{"s3:object-lock-legal-hold":"OFF"}}`) + `]}`
	_, err := s.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String(locking), Policy: &document})
	require.NoError(t, err)
	require.NoError(t, retain(types.ObjectLockRetentionModeGovernance, 9))
	failsWith(t, retain(types.ObjectLockRetentionModeGovernance, 20), 403, "AccessDenied")
	failsWith(t, retain(types.ObjectLockRetentionModeCompliance, 9), 403, "AccessDenied")
	require.NoError(t, hold(types.ObjectLockLegalHoldStatusOn))
	failsWith(t, hold(types.ObjectLockLegalHoldStatusOff), 403, "AccessDenied")
}

// The policy judges each key of DeleteObjects separately.
func TestPolicyJudgesBatchByKey(t *testing.T) {
	s := start(t, s3server.Config{Credentials: twoAccounts})
	s.openBucket(t)
	for _, key := range []string{"a/1", "b/1"} {
		s.put(t, key, "content")
	}
	require.NoError(t, s.setPolicy(`{"Statement":[`+allowing("s3:DeleteObject", `"arn:aws:s3:::photos/a/*"`, "")+`]}`))
	output, err := s.clientOf(others).DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String(bucket), Delete: &types.Delete{
		Objects: []types.ObjectIdentifier{{Key: aws.String("a/1")}, {Key: aws.String("b/1")}, {Key: aws.String("a/1"), VersionId: aws.String("null")}},
	}})
	require.NoError(t, err)
	require.Len(t, output.Deleted, 1)
	require.Len(t, output.Errors, 2)
	require.Equal(t, []string{"b/1"}, s.keys(t))

	require.NoError(t, s.setPolicy(`{"Statement":[`+allowing("s3:DeleteObjectVersion", inKeys, "")+","+
		denying("s3:DeleteObjectVersion", inKeys, `{"StringEquals":{"s3:VersionId":"null"}}`)+`]}`))
	output, err = s.clientOf(others).DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String(bucket), Delete: &types.Delete{
		Objects: []types.ObjectIdentifier{{Key: aws.String("b/1"), VersionId: aws.String("null")}},
	}})
	require.NoError(t, err)
	require.Len(t, output.Errors, 1)
	require.Equal(t, []string{"b/1"}, s.keys(t))
}

// With RestrictPublicBuckets, a public policy no longer lets other accounts or anonymous users read.
func TestPolicyOfRestrictedBucketIsNotPublic(t *testing.T) {
	s := start(t, s3server.Config{Credentials: twoAccounts})
	s.openBucket(t)
	s.put(t, "k", "content")
	require.NoError(t, s.setPolicy(`{"Statement":[`+allowGet+","+strings.Replace(allowGet, `"*"`, `{"AWS":"210987654321"}`, 1)+`]}`))
	for _, as := range []int{mine, others, nobody} {
		response, _ := s.sendAs(t, as, "GET", "/photos/k", "", nil)
		require.Equal(t, 200, response.StatusCode)
	}
	_, err := s.PutPublicAccessBlock(t.Context(), &s3.PutPublicAccessBlockInput{
		Bucket:                         aws.String(bucket),
		PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{RestrictPublicBuckets: aws.Bool(true)},
	})
	require.NoError(t, err)
	for as, status := range map[int]int{mine: 200, others: 403, nobody: 403} {
		response, _ := s.sendAs(t, as, "GET", "/photos/k", "", nil)
		require.Equal(t, status, response.StatusCode)
	}
}

// The policy judges the headers of a multipart upload at CreateMultipartUpload, because its parts do not have
// them.
func TestPolicyJudgesUploadAtBegin(t *testing.T) {
	for name, statements := range map[string]string{
		"encryption": allowing("s3:PutObject", inKeys, "") + "," + denying("s3:PutObject", inKeys, `{"StringNotEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}`),
		"a list":     allowing("s3:PutObject*", inKeys, `{"StringEquals":{"s3:x-amz-acl":"bucket-owner-full-control"}}`),
		"tags":       allowing("s3:PutObject*", inKeys, `{"StringEquals":{"s3:RequestObjectTag/kind":"public"}}`),
	} {
		t.Run(name, func(t *testing.T) {
			s := startLenient(t, s3server.Config{Credentials: twoAccounts})
			s.put(t, "source", "content")
			require.NoError(t, s.setPolicy(`{"Statement":[`+statements+`]}`))
			other := s.clientOf(others)
			_, err := other.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String("k")})
			failsWith(t, err, 403, "AccessDenied")
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
			failsWith(t, err, 403, "AccessDenied") // the source may not be read
			_, err = other.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
				Bucket:          aws.String(bucket),
				Key:             aws.String("k"),
				UploadId:        u.UploadId,
				MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: part.ETag, PartNumber: aws.Int32(1), ChecksumCRC32: part.ChecksumCRC32}}},
			})
			require.NoError(t, err)
			_, err = other.PutObject(t.Context(), putInput("k", "x"))
			failsWith(t, err, 403, "AccessDenied")
		})
	}
}
