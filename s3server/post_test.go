package s3server_test

import (
	"bytes"
	"maps"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// post sends a form with a file.
func (s *store) post(t *testing.T, url string, fields map[string]string, content string) (*http.Response, string) {
	return postNamed(t, s, url, fields, "photo.jpg", content)
}

func postNamed(t *testing.T, s *store, url string, fields map[string]string, filename, content string) (*http.Response, string) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		require.NoError(t, form.WriteField(name, fields[name]))
	}
	file, err := form.CreateFormFile("file", filename)
	require.NoError(t, err)
	_, err = file.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, form.Close())
	return s.send(t, "POST", url, &body, http.Header{"Content-Type": {form.FormDataContentType()}})
}

// If the requester pays, a form of another account must agree to pay.
func TestFormOfOtherAccountPays(t *testing.T) {
	s := start(t, s3server.Config{Credentials: twoAccounts})
	_, err := s.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String(bucket), Policy: aws.String(`{"Version": "2012-10-17", "Statement": {
		"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::` + otherAccount + `:root"}, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::photos/*"}}`)})
	require.NoError(t, err)
	_, err = s.PutBucketRequestPayment(t.Context(), &s3.PutBucketRequestPaymentInput{
		Bucket:                      aws.String(bucket),
		RequestPaymentConfiguration: &types.RequestPaymentConfiguration{Payer: types.PayerRequester},
	})
	require.NoError(t, err)
	post := func(client *s3.Client, agrees bool) (*http.Response, string) {
		presigned, err := s3.NewPresignClient(client).PresignPostObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")}, func(o *s3.PresignPostOptions) {
			o.Conditions = []any{[]string{"starts-with", "$x-amz-request-payer", ""}}
		})
		require.NoError(t, err)
		presigned.Values["x-amz-request-payer"] = map[bool]string{true: "requester"}[agrees]
		return s.post(t, presigned.URL, presigned.Values, "hello")
	}
	response, body := post(s.clientOf(1), false)
	require.Equal(t, 403, response.StatusCode, body)
	response, body = post(s.clientOf(1), true)
	require.Equal(t, 204, response.StatusCode, body)
	require.Equal(t, "requester", response.Header.Get("X-Amz-Request-Charged"))
	response, body = post(s.Client, false)
	require.Equal(t, 204, response.StatusCode, "the owner is not asked: %s", body)
}

// A POST form stores its file.
func TestForm(t *testing.T) {
	set := func(name, value string) func(map[string]string) {
		return func(fields map[string]string) {
			fields[name] = value
		}
	}
	for name, test := range map[string]struct {
		change  func(map[string]string)
		later   time.Duration
		content string
		status  int
		code    string
	}{
		"right":                        {nil, 0, "hello", 204, ""},
		"right, with a 201":            {set("success_action_status", "201"), 0, "hello", 201, ""},
		"an extra field":               {set("x-amz-meta-other", "c"), 0, "hello", 403, "AccessDenied"},
		"an extra field to be ignored": {set("x-ignore-me", "c"), 0, "hello", 204, ""},
		"another type":                 {set("content-type", "text/html"), 0, "hello", 403, "AccessDenied"},
		"another key":                  {set("key", "other"), 0, "hello", 403, "AccessDenied"},
		"the file's own name":          {set("key", "uploads/${filename}"), 0, "hello", 204, ""},
		"a missing field":              {func(f map[string]string) { delete(f, "content-type") }, 0, "hello", 403, "AccessDenied"},
		"another signature":            {set("x-amz-signature", "x"), 0, "hello", 403, "SignatureDoesNotMatch"},
		"no signature":                 {func(f map[string]string) { delete(f, "X-Amz-Signature") }, 0, "hello", 400, "InvalidArgument"},
		"no policy":                    {func(f map[string]string) { delete(f, "policy") }, 0, "hello", 403, "AccessDenied"},
		"a field without a name":       {set("", "x"), 0, "hello", 400, "MalformedPOSTRequest"},
		"two fields for one ACL": {func(f map[string]string) {
			f["acl"], f["x-amz-acl"] = "private", "public-read"
		}, 0, "hello", 400, "InvalidArgument"},
		"the digest of another file": {set("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="), 0, "hello", 400, "BadDigest"},
		"a malformed digest":         {set("content-md5", "x"), 0, "hello", 400, "InvalidDigest"},
		"its digest":                 {set("content-md5", "XUFAKrxLKna5cZ2REBfFkg=="), 0, "hello", 204, ""},
		"no key":                     {func(f map[string]string) { delete(f, "key") }, 0, "hello", 400, "InvalidArgument"},
		"what a header cannot have":  {set("cache-control", "a\x00b"), 0, "hello", 400, "InvalidArgument"},
		"a header within a field":    {set("cache-control", "a\r\nX-Other: b"), 0, "hello", 400, "InvalidArgument"},
		"a field that is not ASCII":  {set("cache-control", "ü\t–"), 0, "hello", 204, ""},
		"expired":                    {nil, 16 * time.Minute, "hello", 403, "AccessDenied"},
		"too long":                   {nil, 0, "hello, hello", 400, "EntityTooLarge"},
		"too short":                  {nil, 0, "h", 400, "EntityTooSmall"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, s3server.Config{})
			presigned, err := s3.NewPresignClient(s.Client).PresignPostObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("uploads/photo.jpg")},
				func(o *s3.PresignPostOptions) {
					o.Expires = 15 * time.Minute
					o.Conditions = []any{
						[]any{"content-length-range", 2, 10},
						map[string]string{"content-type": "image/jpeg"},
						[]string{"starts-with", "$success_action_status", ""},
						[]string{"starts-with", "$content-md5", ""},
						[]string{"starts-with", "$cache-control", ""},
					}
				})
			require.NoError(t, err)
			fields := presigned.Values
			fields["content-type"] = "image/jpeg"
			fields["success_action_status"], fields["content-md5"], fields["cache-control"] = "204", "XUFAKrxLKna5cZ2REBfFkg==", "no-cache"
			if test.change != nil {
				test.change(fields)
			}
			if _, lower := fields["x-amz-signature"]; lower {
				delete(fields, "X-Amz-Signature")
			}
			s.clock.move(test.later)
			response, body := s.post(t, presigned.URL, fields, test.content)
			s.clock.move(-test.later)
			require.Equal(t, test.status, response.StatusCode, body)
			if test.code != "" {
				require.Equal(t, test.code, errorIn(t, body).Code, body)
				require.Empty(t, s.keys(t))
				return
			}
			require.Equal(t, []string{"uploads/photo.jpg"}, s.keys(t))
			require.Equal(t, test.content, s.get(t, "uploads/photo.jpg"))
			require.Equal(t, test.status == 201, strings.Contains(body, "<PostResponse>"))
		})
	}
}

// The variable ${filename} is replaced in each field of a form.
func TestFormReplacesFilename(t *testing.T) {
	for name, test := range map[string]struct {
		filename, field string
		want            string // in the key and the metadata
		code            string // of the refusal
	}{
		"a name":                    {"cat.jpg", "${filename}", "cat.jpg", ""},
		"a path":                    {"pets/cat.jpg", "${filename}", "cat.jpg", ""},
		"a path of Windows":         {`C:\Users\Me\cat.jpg`, "${filename}", "cat.jpg", ""},
		"twice":                     {"cat.jpg", "${filename}-${filename}", "cat.jpg-cat.jpg", ""},
		"none":                      {"", "x${filename}", "x", ""},
		"more than a form can have": {strings.Repeat("x", 200<<10), strings.Repeat("${filename}", 500), "", "MaxPostPreDataLengthExceededError"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, s3server.Config{})
			presigned, err := s3.NewPresignClient(s.Client).PresignPostObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("uploads/" + test.want)},
				func(o *s3.PresignPostOptions) {
					o.Conditions = []any{[]string{"starts-with", "$x-amz-meta-name", ""}}
				})
			require.NoError(t, err)
			presigned.Values["key"], presigned.Values["x-amz-meta-name"] = "uploads/"+test.field, test.field
			response, body := postNamed(t, s, presigned.URL, presigned.Values, test.filename, "hello")
			if test.code != "" {
				require.Equal(t, 400, response.StatusCode, body)
				require.Equal(t, test.code, errorIn(t, body).Code)
				return
			}
			require.Equal(t, 204, response.StatusCode, body)
			head, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("uploads/" + test.want)})
			require.NoError(t, err)
			require.Equal(t, test.want, head.Metadata["name"])
		})
	}
}

// The server refuses a form whose key is not UTF-8.
func TestFormKeyMustBeUTF8(t *testing.T) {
	s := start(t, s3server.Config{})
	_, err := s.DeletePublicAccessBlock(t.Context(), &s3.DeletePublicAccessBlockInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	_, err = s.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String(bucket), Policy: aws.String(`{"Version": "2012-10-17", "Statement": {
		"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::photos/*"}}`)})
	require.NoError(t, err)
	for name, filename := range map[string]string{"caf\xe9": "", "${filename}": "caf\xe9"} { // as in a page in Latin-1
		response, body := postNamed(t, s, s.server.URL+"/"+bucket, map[string]string{"key": name}, filename, "hello")
		require.Equal(t, 400, response.StatusCode, body)
		require.Equal(t, "InvalidURI", errorIn(t, body).Code)
	}
	require.Empty(t, s.keys(t))
}

// The response to a form has the checksum of the object.
func TestFormReturnsChecksum(t *testing.T) {
	s := start(t, s3server.Config{})
	form := func(sum string) (*http.Response, string) {
		presigned, err := s3.NewPresignClient(s.Client).PresignPostObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")},
			func(o *s3.PresignPostOptions) {
				o.Conditions = []any{[]string{"starts-with", "$x-amz-checksum-crc32c", ""}}
			})
		require.NoError(t, err)
		presigned.Values["x-amz-checksum-crc32c"] = sum
		return s.post(t, presigned.URL, presigned.Values, "hello")
	}
	response, body := form("mnG7TA==")
	require.Equal(t, 204, response.StatusCode, body)
	require.Equal(t, "mnG7TA==", response.Header.Get("X-Amz-Checksum-Crc32c"))
	require.Equal(t, "FULL_OBJECT", response.Header.Get("X-Amz-Checksum-Type"))
	response, body = form("AAAAAA==")
	require.Equal(t, 400, response.StatusCode, body)
	require.Equal(t, "BadDigest", errorIn(t, body).Code)
}
