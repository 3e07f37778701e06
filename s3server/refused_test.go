package s3server_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"strconv"
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

// sendSigned sends a request with a valid signature that the SDK would not send. Its arguments are
// the method, the path with the query, the body and the headers.
func (s *store) sendSigned(
	t *testing.T, method, path, body string, header map[string]string,
) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.server.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	for name, value := range header {
		r.Header[http.CanonicalHeaderKey(name)] = strings.Split(value, "\n") // each in a line of its own
	}
	as := aws.Credentials{
		AccessKeyID:     s3server.DefaultAccessKeyID,
		SecretAccessKey: s3server.DefaultSecretKey,
	}
	require.NoError(t, v4.NewSigner(func(o *v4.SignerOptions) {
		o.DisableURIPathEscaping = true
	}).
		SignHTTP(t.Context(), as, r, r.Header.Get("X-Amz-Content-Sha256"), "s3", "us-east-1", time.Now()))
	response, err := s.http.Do(r)
	require.NoError(t, err)
	return response, readBody(t, response.Body)
}

// Error responses are like those of Amazon S3. They have no element Resource. The response to HEAD
// has no body, but the media type of the error's document.
func TestErrorsAreAmazons(t *testing.T) {
	s := startServer(t, s3server.Config{})
	response, body := s.sendSigned(t, "GET", "/photos/missing", "", nil)
	require.Equal(t, 404, response.StatusCode)
	require.NotContains(t, body, "<Resource>")
	require.Contains(t, body, "<Key>missing</Key>")

	response, body = s.sendSigned(t, "HEAD", "/photos/missing", "", nil)
	require.Equal(t, 404, response.StatusCode)
	require.Equal(t, "application/xml", response.Header.Get("Content-Type"))
	require.Empty(t, body)
}

// The server refuses requests with invalid parameters, documents or headers, and leaves the bucket unchanged.
func TestRequestsRefused(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "k", "content")

	tests := []struct {
		name               string
		method, path, body string
		header             map[string]string
		wantStatus         int
		wantCode           string
	}{
		{
			name:       "torrent",
			method:     "GET",
			path:       "/photos/k?torrent",
			wantStatus: 501,
			wantCode:   "NotImplemented",
		},
		{
			name:       "part number 0",
			method:     "GET",
			path:       "/photos/k?partNumber=0",
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "unknown method",
			method:     "PATCH",
			path:       "/photos/k",
			wantStatus: 405,
			wantCode:   "MethodNotAllowed",
		},
		{
			name:       "version marker empty",
			method:     "GET",
			path:       "/photos?versions&key-marker=k&version-id-marker=",
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "version ID empty",
			method:     "GET",
			path:       "/photos/k?versionId=",
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "DeleteObjects without a checksum",
			method:     "POST",
			path:       "/photos?delete",
			body:       "<Delete><Object><Key>k</Key></Object></Delete>",
			wantStatus: 400,
			wantCode:   "InvalidRequest",
		},
		{
			name:       "CORS rules without a checksum",
			method:     "PUT",
			path:       "/photos?cors",
			body:       "<CORSConfiguration/>",
			wantStatus: 400,
			wantCode:   "InvalidRequest",
		},
		{
			name:       "unknown element of DeleteObjects",
			method:     "POST",
			path:       "/photos?delete",
			body:       "<Delete><Object><Key>k</Key><Color/></Object></Delete>",
			header:     map[string]string{"X-Amz-Checksum-Md5": *sumMD5("<Delete><Object><Key>k</Key><Color/></Object></Delete>")},
			wantStatus: 400,
			wantCode:   "MalformedXML",
		},
		{
			name:       "two keys of an object of DeleteObjects",
			method:     "POST",
			path:       "/photos?delete",
			body:       "<Delete><Object><Key>k</Key><Key>l</Key></Object></Delete>",
			header:     map[string]string{"X-Amz-Checksum-Md5": *sumMD5("<Delete><Object><Key>k</Key><Key>l</Key></Object></Delete>")},
			wantStatus: 400,
			wantCode:   "MalformedXML",
		},
		{
			name:       "two entity tags of a part",
			method:     "POST",
			path:       "/photos/k?uploadId=x",
			body:       "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag><ETag>y</ETag></Part></CompleteMultipartUpload>",
			wantStatus: 400,
			wantCode:   "MalformedXML",
		},
		{
			name:       "two keys of a tag",
			method:     "PUT",
			path:       "/photos/k?tagging",
			body:       "<Tagging><TagSet><Tag><Key>k</Key><Key>l</Key><Value/></Tag></TagSet></Tagging>",
			header:     map[string]string{"X-Amz-Checksum-Md5": *sumMD5("<Tagging><TagSet><Tag><Key>k</Key><Key>l</Key><Value/></Tag></TagSet></Tagging>")},
			wantStatus: 400,
			wantCode:   "MalformedXML",
		},
		{
			name:       "two statuses of versioning",
			method:     "PUT",
			path:       "/photos?versioning",
			body:       "<VersioningConfiguration><Status>Enabled</Status><Status>Suspended</Status></VersioningConfiguration>",
			wantStatus: 400,
			wantCode:   "MalformedXML",
		},
		{
			name:       "unknown element of a part",
			method:     "POST",
			path:       "/photos/k?uploadId=x",
			body:       "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag><Color/></Part></CompleteMultipartUpload>",
			wantStatus: 400,
			wantCode:   "MalformedXML",
		},
		{
			name:       "restore with a query",
			method:     "POST",
			path:       "/photos/k?restore",
			body:       "<RestoreRequest><Type>SELECT</Type><SelectParameters/></RestoreRequest>",
			wantStatus: 501,
			wantCode:   "NotImplemented",
		},
		{
			name:       "restore with an unknown tier",
			method:     "POST",
			path:       "/photos/k?restore",
			body:       "<RestoreRequest><Days>1</Days><Tier>Slow</Tier></RestoreRequest>",
			wantStatus: 400,
			wantCode:   "MalformedXML",
		},
		{
			name:       "an unknown element of a restore",
			method:     "POST",
			path:       "/photos/k?restore",
			body:       "<RestoreRequest><Days>1</Days><Color/></RestoreRequest>",
			wantStatus: 400,
			wantCode:   "MalformedXML",
		},
		{
			name:       "malformed XML",
			method:     "PUT",
			path:       "/photos?versioning",
			body:       "<Versioning",
			wantStatus: 400,
			wantCode:   "MalformedXML",
		},
		{
			name:       "XML with trailing data",
			method:     "PUT",
			path:       "/photos?versioning",
			body:       "<VersioningConfiguration/><x/>",
			wantStatus: 400,
			wantCode:   "MalformedXML",
		},
		{
			name:       "versioning without a status",
			method:     "PUT",
			path:       "/photos?versioning",
			body:       "<VersioningConfiguration/>",
			wantStatus: 400,
			wantCode:   "IllegalVersioningConfigurationException",
		},
		{
			name:       "versioning with an unknown status",
			method:     "PUT",
			path:       "/photos?versioning",
			body:       "<VersioningConfiguration><Status>Off</Status></VersioningConfiguration>",
			wantStatus: 400,
			wantCode:   "MalformedXML",
		},
		{
			name:       "hash of the body invalid",
			method:     "PUT",
			path:       "/photos/k",
			body:       "x",
			header:     map[string]string{"X-Amz-Content-Sha256": "x"},
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "checksum algorithm without a checksum",
			method:     "PUT",
			path:       "/photos/k",
			body:       "x",
			header:     map[string]string{"X-Amz-Sdk-Checksum-Algorithm": "CRC32"},
			wantStatus: 400,
			wantCode:   "InvalidRequest",
		},
		{
			name:   "checksum algorithm and checksum of another algorithm",
			method: "PUT",
			path:   "/photos/k",
			body:   "x",
			header: map[string]string{
				"X-Amz-Sdk-Checksum-Algorithm": "CRC32",
				"X-Amz-Checksum-Crc32c":        "AAAAAA==",
			},
			wantStatus: 400,
			wantCode:   "InvalidRequest",
		},
		{
			name:       "a trailer without chunks",
			method:     "PUT",
			path:       "/photos/k",
			body:       "x",
			header:     map[string]string{"X-Amz-Trailer": "x-amz-checksum-crc32c"},
			wantStatus: 400,
			wantCode:   "InvalidRequest",
		},
		{
			name:       "PutObject with If-Modified-Since",
			method:     "PUT",
			path:       "/photos/k",
			body:       "x",
			header:     map[string]string{"If-Modified-Since": "Fri, 24 May 2013 00:00:00 GMT"},
			wantStatus: 501,
			wantCode:   "NotImplemented",
		},
		{
			name:       "CreateMultipartUpload with If-None-Match",
			method:     "POST",
			path:       "/photos/k?uploads",
			header:     map[string]string{"If-None-Match": "*"},
			wantStatus: 501,
			wantCode:   "NotImplemented",
		},
		{
			name:       "CreateMultipartUpload with an unknown checksum algorithm",
			method:     "POST",
			path:       "/photos/k?uploads",
			header:     map[string]string{"X-Amz-Checksum-Algorithm": "CRC8"},
			wantStatus: 400,
			wantCode:   "InvalidRequest",
		},
		{
			name:       "DeleteObject with If-None-Match",
			method:     "DELETE",
			path:       "/photos/k",
			header:     map[string]string{"If-None-Match": "*"},
			wantStatus: 501,
			wantCode:   "NotImplemented",
		},
		{
			name:       "DeleteObject with a second If-None-Match",
			method:     "DELETE",
			path:       "/photos/k",
			header:     map[string]string{"If-None-Match": "\n*"},
			wantStatus: 501,
			wantCode:   "NotImplemented",
		},
		{
			name:       "DeleteObject with a second If-Match",
			method:     "DELETE",
			path:       "/photos/k",
			header:     map[string]string{"If-Match": "\n\"other\""},
			wantStatus: 412,
			wantCode:   "PreconditionFailed",
		},
		{
			name:       "UploadPart with a second If-Match",
			method:     "PUT",
			path:       "/photos/k?partNumber=1&uploadId=x",
			body:       "x",
			header:     map[string]string{"If-Match": "\n\"other\""},
			wantStatus: 501,
			wantCode:   "NotImplemented",
		},
		{
			name:       "more tags than ten",
			method:     "PUT",
			path:       "/photos/k",
			body:       "x",
			header:     map[string]string{"X-Amz-Tagging": "a=&b=&c=&d=&e=&f=&g=&h=&i=&j=&k="},
			wantStatus: 400,
			wantCode:   "BadRequest",
		},
		{
			name:       "headers too long",
			method:     "PUT",
			path:       "/photos/k",
			body:       "x",
			header:     map[string]string{"X-Other": strings.Repeat("x", 9000)},
			wantStatus: 400,
			wantCode:   "RequestHeaderSectionTooLarge",
		},
		{
			name:       "grant, although ACLs are disabled",
			method:     "PUT",
			path:       "/photos/k",
			body:       "x",
			header:     map[string]string{"X-Amz-Grant-Read": "id=x"},
			wantStatus: 400,
			wantCode:   "AccessControlListNotSupported",
		},
		{
			name:       "unknown canned ACL",
			method:     "PUT",
			path:       "/photos/k",
			body:       "x",
			header:     map[string]string{"X-Amz-Acl": "all"},
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "POST without a form",
			method:     "POST",
			path:       "/photos",
			body:       "x",
			wantStatus: 412,
			wantCode:   "PreconditionFailed",
		},
		{
			name:       "copy with an unknown directive",
			method:     "PUT",
			path:       "/photos/l",
			header:     map[string]string{"X-Amz-Copy-Source": "photos/k", "X-Amz-Metadata-Directive": "MOVE"},
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "copy with an empty source",
			method:     "PUT",
			path:       "/photos/l",
			header:     map[string]string{"X-Amz-Copy-Source": ""},
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "copy of an invalid version",
			method:     "PUT",
			path:       "/photos/l",
			header:     map[string]string{"X-Amz-Copy-Source": "photos/k?versionId=x"},
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "preflight without an origin",
			method:     "OPTIONS",
			path:       "/photos/l",
			wantStatus: 400,
			wantCode:   "BadRequest",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, body := s.sendSigned(t, tt.method, tt.path, tt.body, tt.header)
			require.Equal(t, tt.wantStatus, response.StatusCode, body)
			require.Equal(t, tt.wantCode, parseError(t, body).Code, body)
		})
	}
	require.Equal(t, "content", s.get(t, "k"))
	require.Equal(t, []string{"k"}, s.keys(t))
}

// The server accepts some settings of a bucket without a digest of the document. s3cmd sends none,
// and AWS accepts that.
func TestSettingsWithoutDigest(t *testing.T) {
	s := startServer(t, s3server.Config{})
	tests := []struct{ path, document string }{
		{
			path:     "/photos?website",
			document: "<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument></WebsiteConfiguration>",
		},
		{
			path:     "/photos?requestPayment",
			document: "<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>",
		},
		{path: "/photos?logging", document: "<BucketLoggingStatus/>"},
	}
	for _, tt := range tests {
		response, body := s.sendSigned(t, "PUT", tt.path, tt.document, nil)
		require.Equal(t, 200, response.StatusCode, "%s: %s", tt.path, body)
	}
}

// White space and comments may follow an XML document, but nothing else. s3fs and "curl
// --data-binary @file" send such text.
func TestDocumentMayEndInWhitespace(t *testing.T) {
	const document = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
	tests := []struct {
		end        string
		wantStatus int
	}{
		{end: "\n", wantStatus: 200},
		{end: " \r\n\t", wantStatus: 200},
		{end: "<!-- by hand -->\n", wantStatus: 200},
		{end: "<?editor indent?>", wantStatus: 200},
		{end: "x", wantStatus: 400},
		{end: "\n\x00", wantStatus: 400},
		{end: "\u00a0", wantStatus: 400},
		{end: "\n<Status/>", wantStatus: 400},
		{end: "</VersioningConfiguration>", wantStatus: 400},
		{end: "<!-- open", wantStatus: 400},
		{end: "<!DOCTYPE a>", wantStatus: 400},
		{end: "&amp;", wantStatus: 400},
	}
	for _, tt := range tests {
		t.Run(strconv.Quote(tt.end), func(t *testing.T) {
			s := startServer(t, s3server.Config{})
			response, body := s.sendSigned(t, "PUT", "/photos?versioning", document+tt.end, nil)
			require.Equal(t, tt.wantStatus, response.StatusCode, body)
			if tt.wantStatus == 400 {
				require.Equal(t, "MalformedXML", parseError(t, body).Code)
			}
		})
	}
}

// The server reads a plus sign in a path as a space, as S3 does, unlike RFC 3986.
func TestKeyWithPlusIsSpace(t *testing.T) {
	s := startServer(t, s3server.Config{})
	response, body := s.sendSigned(t, "PUT", "/photos/a%2Bb", "x", nil)
	require.Equal(t, 200, response.StatusCode, body)

	s.put(t, "c d", "x")
	require.Equal(t, []string{"a+b", "c d"}, s.keys(t))

	s.server.Reset()
	_, _ = s.send(t, "GET", s.server.URL+"/photos/c+d", nil, nil)
	require.Equal(t, "c d", s.server.Requests()[0].Key)
}

// The server stores and returns the versioning, the ACL and the ownership of a bucket.
func TestSettingsAreReturnedUnchanged(t *testing.T) {
	s := startLenient(t, s3server.Config{})
	s.setOwnership(t, types.ObjectOwnershipObjectWriter)
	versioning := func() types.BucketVersioningStatus {
		output, err := s.GetBucketVersioning(t.Context(), &s3.GetBucketVersioningInput{
			Bucket: aws.String(bucket),
		})
		require.NoError(t, err)
		return output.Status
	}

	// The versioning has no value before it is set.
	require.Empty(t, versioning())
	s.setVersioning(t, types.BucketVersioningStatusEnabled)
	require.Equal(t, types.BucketVersioningStatusEnabled, versioning())

	// The public ACL has a grant for the owner, and one for everybody.
	_, err := s.PutBucketAcl(t.Context(), &s3.PutBucketAclInput{
		Bucket: aws.String(bucket),
		ACL:    types.BucketCannedACLPublicRead,
	})
	require.NoError(t, err)
	list, err := s.GetBucketAcl(t.Context(), &s3.GetBucketAclInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	require.Len(t, list.Grants, 2)

	// A bucket with a public ACL cannot do without ACLs.
	_, err = s.PutBucketOwnershipControls(t.Context(), &s3.PutBucketOwnershipControlsInput{
		Bucket:            aws.String(bucket),
		OwnershipControls: &types.OwnershipControls{Rules: []types.OwnershipControlsRule{{ObjectOwnership: types.ObjectOwnershipBucketOwnerEnforced}}},
	})
	requireFailure(t, err, 400, "InvalidBucketAclWithObjectOwnership")

	// A read of settings fails if they were never set, or were deleted.
	_, err = s.GetPublicAccessBlock(t.Context(), &s3.GetPublicAccessBlockInput{Bucket: aws.String(bucket)})
	requireFailure(t, err, 404, "NoSuchPublicAccessBlockConfiguration")
	_, err = s.DeleteBucketOwnershipControls(t.Context(), &s3.DeleteBucketOwnershipControlsInput{
		Bucket: aws.String(bucket),
	})
	require.NoError(t, err)
	_, err = s.GetBucketOwnershipControls(t.Context(), &s3.GetBucketOwnershipControlsInput{
		Bucket: aws.String(bucket),
	})
	requireFailure(t, err, 404, "OwnershipControlsNotFoundError")
}

// The response to a form redirects the browser to success_action_redirect, with the bucket, key and ETag.
func TestFormRedirectsSender(t *testing.T) {
	s := startServer(t, s3server.Config{})
	presigned, err := s3.NewPresignClient(s.Client).PresignPostObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
	}, func(o *s3.PresignPostOptions) {
		o.Conditions = []any{[]string{"starts-with", "$success_action_redirect", ""}}
	})
	require.NoError(t, err)

	// Add the field for the redirection and an empty file.
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range presigned.Values {
		require.NoError(t, form.WriteField(name, value))
	}
	require.NoError(t, form.WriteField("success_action_redirect", "https://example.com/done?a=b"))
	_, err = form.CreateFormFile("file", "empty")
	require.NoError(t, err)
	require.NoError(t, form.Close())

	// Do not follow the redirection, but read it.
	s.http.CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}
	header := http.Header{"Content-Type": {form.FormDataContentType()}}
	response, text := s.send(t, "POST", presigned.URL, &body, header)
	require.Equal(t, 303, response.StatusCode, text)

	// The ETag is the MD5 of the empty file.
	const emptyMD5 = "d41d8cd98f00b204e9800998ecf8427e"
	location := "https://example.com/done?a=b&bucket=photos&key=k&etag=%22" + emptyMD5 + "%22"
	require.Equal(t, location, response.Header.Get("Location"))
}
