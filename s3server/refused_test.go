package s3server_test

import (
	"bytes"
	"mime/multipart"
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

// signedSend sends a request that the SDK would not send, with a valid signature: method,
// path with query, headers and body.
func (s *store) signedSend(t *testing.T, method, path, body string, header map[string]string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.server.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	for name, value := range header {
		r.Header[http.CanonicalHeaderKey(name)] = strings.Split(value, "\n") // each in a line of its own
	}
	as := aws.Credentials{AccessKeyID: s3server.DefaultAccessKeyID, SecretAccessKey: s3server.DefaultSecretKey}
	require.NoError(t, v4.NewSigner(func(o *v4.SignerOptions) {
		o.DisableURIPathEscaping = true
	}).
		SignHTTP(t.Context(), as, r, r.Header.Get("X-Amz-Content-Sha256"), "s3", "us-east-1", time.Now()))
	response, err := s.http.Do(r)
	require.NoError(t, err)
	return response, read(t, response.Body)
}

// Errors have the form of Amazon's: without the element Resource, and with the media type of the document even for
// HEAD.
func TestErrorsAreAmazons(t *testing.T) {
	s := start(t, s3server.Config{})
	response, body := s.signedSend(t, "GET", "/photos/missing", "", nil)
	require.Equal(t, 404, response.StatusCode)
	require.NotContains(t, body, "<Resource>")
	require.Contains(t, body, "<Key>missing</Key>")
	response, body = s.signedSend(t, "HEAD", "/photos/missing", "", nil)
	require.Equal(t, 404, response.StatusCode)
	require.Equal(t, "application/xml", response.Header.Get("Content-Type"))
	require.Empty(t, body)
}

// The server refuses these requests.
func TestRequestsRefused(t *testing.T) {
	s := start(t, s3server.Config{})
	s.put(t, "k", "content")
	for name, test := range map[string]struct {
		method, path, body string
		header             map[string]string
		status             int
		code               string
	}{
		"a torrent":                        {"GET", "/photos/k?torrent", "", nil, 501, "NotImplemented"},
		"a part before the first":          {"GET", "/photos/k?partNumber=0", "", nil, 400, "InvalidArgument"},
		"a method that there is not":       {"PATCH", "/photos/k", "", nil, 405, "MethodNotAllowed"},
		"an empty marker of versions":      {"GET", "/photos?versions&key-marker=k&version-id-marker=", "", nil, 400, "InvalidArgument"},
		"a version without an id":          {"GET", "/photos/k?versionId=", "", nil, 400, "InvalidArgument"},
		"a batch that nothing vouches for": {"POST", "/photos?delete", "<Delete><Object><Key>k</Key></Object></Delete>", nil, 400, "InvalidRequest"},
		"rules that nothing vouches for":   {"PUT", "/photos?cors", "<CORSConfiguration/>", nil, 400, "InvalidRequest"},
		"an unknown element of a batch":    {"POST", "/photos?delete", "<Delete><Object><Key>k</Key><Color/></Object></Delete>", map[string]string{"X-Amz-Checksum-Md5": *sumMD5("<Delete><Object><Key>k</Key><Color/></Object></Delete>")}, 400, "MalformedXML"},
		"two keys of a batch's object":     {"POST", "/photos?delete", "<Delete><Object><Key>k</Key><Key>l</Key></Object></Delete>", map[string]string{"X-Amz-Checksum-Md5": *sumMD5("<Delete><Object><Key>k</Key><Key>l</Key></Object></Delete>")}, 400, "MalformedXML"},
		"two ETags of a part":              {"POST", "/photos/k?uploadId=x", "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag><ETag>y</ETag></Part></CompleteMultipartUpload>", nil, 400, "MalformedXML"},
		"two keys of a tag":                {"PUT", "/photos/k?tagging", "<Tagging><TagSet><Tag><Key>k</Key><Key>l</Key><Value/></Tag></TagSet></Tagging>", map[string]string{"X-Amz-Checksum-Md5": *sumMD5("<Tagging><TagSet><Tag><Key>k</Key><Key>l</Key><Value/></Tag></TagSet></Tagging>")}, 400, "MalformedXML"},
		"versioning on and off":            {"PUT", "/photos?versioning", "<VersioningConfiguration><Status>Enabled</Status><Status>Suspended</Status></VersioningConfiguration>", nil, 400, "MalformedXML"},
		"an unknown element of a part":     {"POST", "/photos/k?uploadId=x", "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag><Color/></Part></CompleteMultipartUpload>", nil, 400, "MalformedXML"},
		"a restore with a query":           {"POST", "/photos/k?restore", "<RestoreRequest><Type>SELECT</Type><SelectParameters/></RestoreRequest>", nil, 501, "NotImplemented"},
		"a restore by an unknown tier":     {"POST", "/photos/k?restore", "<RestoreRequest><Days>1</Days><Tier>Slow</Tier></RestoreRequest>", nil, 400, "MalformedXML"},
		"an unknown element of a restore":  {"POST", "/photos/k?restore", "<RestoreRequest><Days>1</Days><Color/></RestoreRequest>", nil, 400, "MalformedXML"},
		"malformed XML":                    {"PUT", "/photos?versioning", "<Versioning", nil, 400, "MalformedXML"},
		"XML with trailing data":           {"PUT", "/photos?versioning", "<VersioningConfiguration/><x/>", nil, 400, "MalformedXML"},
		"versioning without a status":      {"PUT", "/photos?versioning", "<VersioningConfiguration/>", nil, 400, "IllegalVersioningConfigurationException"},
		"versioning off":                   {"PUT", "/photos?versioning", "<VersioningConfiguration><Status>Off</Status></VersioningConfiguration>", nil, 400, "MalformedXML"},
		"an invalid hash":                  {"PUT", "/photos/k", "x", map[string]string{"X-Amz-Content-Sha256": "x"}, 400, "InvalidArgument"},
		"an algorithm without a checksum":  {"PUT", "/photos/k", "x", map[string]string{"X-Amz-Sdk-Checksum-Algorithm": "CRC32"}, 400, "InvalidRequest"},
		"an algorithm, another checksum":   {"PUT", "/photos/k", "x", map[string]string{"X-Amz-Sdk-Checksum-Algorithm": "CRC32", "X-Amz-Checksum-Crc32c": "AAAAAA=="}, 400, "InvalidRequest"},
		"a trailer without chunks":         {"PUT", "/photos/k", "x", map[string]string{"X-Amz-Trailer": "x-amz-checksum-crc32c"}, 400, "InvalidRequest"},
		"a write, if modified":             {"PUT", "/photos/k", "x", map[string]string{"If-Modified-Since": "Fri, 24 May 2013 00:00:00 GMT"}, 501, "NotImplemented"},
		"an upload with a condition":       {"POST", "/photos/k?uploads", "", map[string]string{"If-None-Match": "*"}, 501, "NotImplemented"},
		"an upload of an unknown sum":      {"POST", "/photos/k?uploads", "", map[string]string{"X-Amz-Checksum-Algorithm": "CRC8"}, 400, "InvalidRequest"},
		"a removal, unless":                {"DELETE", "/photos/k", "", map[string]string{"If-None-Match": "*"}, 501, "NotImplemented"},
		"a removal, unless, in line two":   {"DELETE", "/photos/k", "", map[string]string{"If-None-Match": "\n*"}, 501, "NotImplemented"},
		"a removal, if, in line two":       {"DELETE", "/photos/k", "", map[string]string{"If-Match": "\n\"other\""}, 412, "PreconditionFailed"},
		"a part, if, in line two":          {"PUT", "/photos/k?partNumber=1&uploadId=x", "x", map[string]string{"If-Match": "\n\"other\""}, 501, "NotImplemented"},
		"more tags than ten":               {"PUT", "/photos/k", "x", map[string]string{"X-Amz-Tagging": "a=&b=&c=&d=&e=&f=&g=&h=&i=&j=&k="}, 400, "BadRequest"},
		"headers that are too long":        {"PUT", "/photos/k", "x", map[string]string{"X-Other": strings.Repeat("x", 9000)}, 400, "RequestHeaderSectionTooLarge"},
		"a grant":                          {"PUT", "/photos/k", "x", map[string]string{"X-Amz-Grant-Read": "id=x"}, 400, "AccessControlListNotSupported"},
		"an unknown access list":           {"PUT", "/photos/k", "x", map[string]string{"X-Amz-Acl": "all"}, 400, "InvalidArgument"},
		"a post without a form":            {"POST", "/photos", "x", nil, 412, "PreconditionFailed"},
		"a copy by an unknown directive":   {"PUT", "/photos/l", "", map[string]string{"X-Amz-Copy-Source": "photos/k", "X-Amz-Metadata-Directive": "MOVE"}, 400, "InvalidArgument"},
		"a copy of nothing":                {"PUT", "/photos/l", "", map[string]string{"X-Amz-Copy-Source": ""}, 400, "InvalidArgument"},
		"a copy of a marker's version":     {"PUT", "/photos/l", "", map[string]string{"X-Amz-Copy-Source": "photos/k?versionId=x"}, 400, "InvalidArgument"},
		"a preflight without an origin":    {"OPTIONS", "/photos/l", "", nil, 400, "BadRequest"},
	} {
		t.Run(name, func(t *testing.T) {
			response, body := s.signedSend(t, test.method, test.path, test.body, test.header)
			require.Equal(t, test.status, response.StatusCode, body)
			require.Equal(t, test.code, errorIn(t, body).Code, body)
		})
	}
	require.Equal(t, "content", s.get(t, "k"))
	require.Equal(t, []string{"k"}, s.keys(t))
}

// These settings may be sent without a digest of the body, as s3cmd sends them and AWS accepts them.
func TestSettingsWithoutDigest(t *testing.T) {
	s := start(t, s3server.Config{})
	for path, document := range map[string]string{
		"/photos?website":        "<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument></WebsiteConfiguration>",
		"/photos?requestPayment": "<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>",
		"/photos?logging":        "<BucketLoggingStatus/>",
	} {
		response, body := s.signedSend(t, "PUT", path, document, nil)
		require.Equal(t, 200, response.StatusCode, "%s: %s", path, body)
	}
}

// An XML document may end in white space, as s3fs and "curl --data-binary @file" send it.
func TestDocumentMayEndInWhitespace(t *testing.T) {
	const document = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
	for end, status := range map[string]int{
		"\n":                         200,
		" \r\n\t":                    200,
		"<!-- by hand -->\n":         200,
		"<?editor indent?>":          200,
		"x":                          400,
		"\n\x00":                     400,
		"\u00a0":                     400,
		"\n<Status/>":                400,
		"</VersioningConfiguration>": 400,
		"<!-- open":                  400,
		"<!DOCTYPE a>":               400,
		"&amp;":                      400,
	} {
		s := start(t, s3server.Config{})
		response, body := s.signedSend(t, "PUT", "/photos?versioning", document+end, nil)
		require.Equal(t, status, response.StatusCode, "%q: %s", end, body)
		if status == 400 {
			require.Equal(t, "MalformedXML", errorIn(t, body).Code)
		}
	}
}

// The server reads a plus sign in a path as a space, as S3 does, unlike RFC 3986.
func TestKeyWithPlusIsSpace(t *testing.T) {
	s := start(t, s3server.Config{})
	response, body := s.signedSend(t, "PUT", "/photos/a%2Bb", "x", nil)
	require.Equal(t, 200, response.StatusCode, body)
	s.put(t, "c d", "x")
	require.Equal(t, []string{"a+b", "c d"}, s.keys(t))
	s.server.Reset()
	_, _ = s.send(t, "GET", s.server.URL+"/photos/c+d", nil, nil)
	require.Equal(t, "c d", s.server.Requests()[0].Key)
}

// The server returns settings as they were stored.
func TestSettingsAreReturnedUnchanged(t *testing.T) {
	s := startLenient(t, s3server.Config{})
	s.own(t, types.ObjectOwnershipObjectWriter)
	versioning := func() types.BucketVersioningStatus {
		output, err := s.GetBucketVersioning(t.Context(), &s3.GetBucketVersioningInput{Bucket: aws.String(bucket)})
		require.NoError(t, err)
		return output.Status
	}
	require.Empty(t, versioning())
	s.keepVersions(t, types.BucketVersioningStatusEnabled)
	require.Equal(t, types.BucketVersioningStatusEnabled, versioning())

	_, err := s.PutBucketAcl(t.Context(), &s3.PutBucketAclInput{Bucket: aws.String(bucket), ACL: types.BucketCannedACLPublicRead})
	require.NoError(t, err)
	list, err := s.GetBucketAcl(t.Context(), &s3.GetBucketAclInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	require.Len(t, list.Grants, 2)
	_, err = s.PutBucketOwnershipControls(t.Context(), &s3.PutBucketOwnershipControlsInput{
		Bucket:            aws.String(bucket),
		OwnershipControls: &types.OwnershipControls{Rules: []types.OwnershipControlsRule{{ObjectOwnership: types.ObjectOwnershipBucketOwnerEnforced}}},
	})
	failsWith(t, err, 400, "InvalidBucketAclWithObjectOwnership")

	_, err = s.GetPublicAccessBlock(t.Context(), &s3.GetPublicAccessBlockInput{Bucket: aws.String(bucket)})
	failsWith(t, err, 404, "NoSuchPublicAccessBlockConfiguration")
	_, err = s.DeleteBucketOwnershipControls(t.Context(), &s3.DeleteBucketOwnershipControlsInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	_, err = s.GetBucketOwnershipControls(t.Context(), &s3.GetBucketOwnershipControlsInput{Bucket: aws.String(bucket)})
	failsWith(t, err, 404, "OwnershipControlsNotFoundError")
}

// The response to a form can redirect the browser.
func TestFormRedirectsSender(t *testing.T) {
	s := start(t, s3server.Config{})
	presigned, err := s3.NewPresignClient(s.Client).PresignPostObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")},
		func(o *s3.PresignPostOptions) {
			o.Conditions = []any{[]string{"starts-with", "$success_action_redirect", ""}}
		})
	require.NoError(t, err)
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range presigned.Values {
		require.NoError(t, form.WriteField(name, value))
	}
	require.NoError(t, form.WriteField("success_action_redirect", "https://example.com/done?a=b"))
	_, err = form.CreateFormFile("file", "empty")
	require.NoError(t, err)
	require.NoError(t, form.Close())
	s.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, text := s.send(t, "POST", presigned.URL, &body, http.Header{"Content-Type": {form.FormDataContentType()}})
	require.Equal(t, 303, response.StatusCode, text)
	require.Equal(t, "https://example.com/done?a=b&bucket=photos&key=k&etag=%22d41d8cd98f00b204e9800998ecf8427e%22", response.Header.Get("Location"))
}
