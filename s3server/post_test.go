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
func (s *store) post(
	t *testing.T, url string, fields map[string]string, content string,
) (*http.Response, string) {
	return postNamed(t, s, url, fields, "photo.jpg", content)
}

// postNamed posts a form with the fields and with a file of the given name.
func postNamed(
	t *testing.T, s *store, url string, fields map[string]string, filename, content string,
) (*http.Response, string) {
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

// If the requester pays in a bucket, a form of another account must say that this account agrees to
// pay.
func TestFormOfOtherAccountPays(t *testing.T) {
	s := startServer(t, s3server.Config{Credentials: twoAccounts})
	_, err := s.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{
		Bucket: aws.String(bucket),
		Policy: aws.String(`{"Version": "2012-10-17", "Statement": {
		"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::` + otherAccount + `:root"}, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::photos/*"}}`),
	})
	require.NoError(t, err)
	_, err = s.PutBucketRequestPayment(t.Context(), &s3.PutBucketRequestPaymentInput{
		Bucket:                      aws.String(bucket),
		RequestPaymentConfiguration: &types.RequestPaymentConfiguration{Payer: types.PayerRequester},
	})
	require.NoError(t, err)

	post := func(client *s3.Client, payer string) (*http.Response, string) {
		presigned, err := s3.NewPresignClient(client).PresignPostObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String(bucket),
			Key:    aws.String("k"),
		}, func(o *s3.PresignPostOptions) {
			o.Conditions = []any{[]string{"starts-with", "$x-amz-request-payer", ""}}
		})
		require.NoError(t, err)
		presigned.Values["x-amz-request-payer"] = payer
		return s.post(t, presigned.URL, presigned.Values, "hello")
	}

	// Without the field that says that the account agrees, the form is refused.
	response, body := post(s.clientOf(otherKey), "")
	require.Equal(t, 403, response.StatusCode, body)

	// With the field, it is accepted.
	response, body = post(s.clientOf(otherKey), "requester")
	require.Equal(t, 204, response.StatusCode, body)
	require.Equal(t, "requester", response.Header.Get("X-Amz-Request-Charged"))

	response, body = post(s.Client, "")
	require.Equal(t, 204, response.StatusCode, "the owner need not agree: %s", body)
}

// A form stores its file if the form has a valid signature and meets the conditions of its policy.
func TestForm(t *testing.T) {
	const (
		key        = "uploads/photo.jpg"
		md5OfHello = "XUFAKrxLKna5cZ2REBfFkg=="
		md5OfEmpty = "1B2M2Y8AsgTpgAmY7PhCfg=="
	)
	set := func(name, value string) func(map[string]string) {
		return func(fields map[string]string) {
			fields[name] = value
		}
	}
	tests := []struct {
		name       string
		change     func(fields map[string]string) // of the valid form
		delay      time.Duration                  // from the signature to the request
		content    string                         // of the file
		wantStatus int
		wantCode   string // of the refusal, or ""
	}{
		{name: "valid", content: "hello", wantStatus: 204},
		{
			name:       "valid, with status 201",
			change:     set("success_action_status", "201"),
			content:    "hello",
			wantStatus: 201,
		},
		{
			name:       "extra field",
			change:     set("x-amz-meta-other", "c"),
			content:    "hello",
			wantStatus: 403,
			wantCode:   "AccessDenied",
		},
		{
			name:       "extra field to be ignored",
			change:     set("x-ignore-me", "c"),
			content:    "hello",
			wantStatus: 204,
		},
		{
			name:       "other content type",
			change:     set("content-type", "text/html"),
			content:    "hello",
			wantStatus: 403,
			wantCode:   "AccessDenied",
		},
		{
			name:       "other key",
			change:     set("key", "other"),
			content:    "hello",
			wantStatus: 403,
			wantCode:   "AccessDenied",
		},
		{
			name:       "key with the name of the file",
			change:     set("key", "uploads/${filename}"),
			content:    "hello",
			wantStatus: 204,
		},
		{
			name: "field of a condition missing",
			change: func(f map[string]string) {
				delete(f, "content-type")
			},
			content:    "hello",
			wantStatus: 403,
			wantCode:   "AccessDenied",
		},
		{
			name:       "wrong signature",
			change:     set("x-amz-signature", "x"),
			content:    "hello",
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name: "signature missing",
			change: func(f map[string]string) {
				delete(f, "X-Amz-Signature")
			},
			content:    "hello",
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
		{
			name: "policy missing",
			change: func(f map[string]string) {
				delete(f, "policy")
			},
			content:    "hello",
			wantStatus: 403,
			wantCode:   "AccessDenied",
		},
		{
			name:       "field without a name",
			change:     set("", "x"),
			content:    "hello",
			wantStatus: 400,
			wantCode:   "MalformedPOSTRequest",
		},
		{
			name: "two fields for one ACL",
			change: func(f map[string]string) {
				f["acl"], f["x-amz-acl"] = "private", "public-read"
			},
			content:    "hello",
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "wrong MD5",
			change:     set("content-md5", md5OfEmpty),
			content:    "hello",
			wantStatus: 400,
			wantCode:   "BadDigest",
		},
		{
			name:       "malformed MD5",
			change:     set("content-md5", "x"),
			content:    "hello",
			wantStatus: 400,
			wantCode:   "InvalidDigest",
		},
		{
			name:       "right MD5",
			change:     set("content-md5", md5OfHello),
			content:    "hello",
			wantStatus: 204,
		},
		{
			name: "key missing",
			change: func(f map[string]string) {
				delete(f, "key")
			},
			content:    "hello",
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "NUL in a field",
			change:     set("cache-control", "a\x00b"),
			content:    "hello",
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "line break in a field",
			change:     set("cache-control", "a\r\nX-Other: b"),
			content:    "hello",
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "field not in ASCII",
			change:     set("cache-control", "ü\t–"),
			content:    "hello",
			wantStatus: 204,
		},
		{name: "expired", delay: 16 * time.Minute, content: "hello", wantStatus: 403, wantCode: "AccessDenied"},
		{name: "file too long", content: "hello, hello", wantStatus: 400, wantCode: "EntityTooLarge"},
		{name: "file too short", content: "h", wantStatus: 400, wantCode: "EntityTooSmall"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The policy of the form has conditions for the file and for each field.
			s := startServer(t, s3server.Config{})
			presigned, err := s3.NewPresignClient(s.Client).PresignPostObject(t.Context(), &s3.PutObjectInput{
				Bucket: aws.String(bucket),
				Key:    aws.String(key),
			}, func(o *s3.PresignPostOptions) {
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

			// The form is valid until the case changes it.
			fields := presigned.Values
			fields["content-type"] = "image/jpeg"
			fields["success_action_status"] = "204"
			fields["content-md5"] = md5OfHello
			fields["cache-control"] = "no-cache"
			if tt.change != nil {
				tt.change(fields)
			}
			// Names of fields ignore case, so a signature under the name in lower case replaces the
			// valid one.
			if _, isChanged := fields["x-amz-signature"]; isChanged {
				delete(fields, "X-Amz-Signature")
			}

			// Send the form after the delay. Then set the clock back, so that the server accepts the reads below.
			s.clock.move(tt.delay)
			response, body := s.post(t, presigned.URL, fields, tt.content)
			s.clock.move(-tt.delay)

			require.Equal(t, tt.wantStatus, response.StatusCode, body)

			// A refused form stores nothing.
			if tt.wantCode != "" {
				require.Equal(t, tt.wantCode, parseError(t, body).Code, body)
				require.Empty(t, s.keys(t))
				return
			}

			// An accepted form stores its file. A response with status 201 has a document.
			require.Equal(t, []string{key}, s.keys(t))
			require.Equal(t, tt.content, s.get(t, key))
			require.Equal(t, tt.wantStatus == 201, strings.Contains(body, "<PostResponse>"))
		})
	}
}

// The variable ${filename} in the fields of a form is replaced by the name of its file.
func TestFormReplacesFilename(t *testing.T) {
	tests := []struct {
		name     string
		filename string
		field    string
		want     string // in the key and the metadata
		wantCode string // of the refusal
	}{
		{name: "name", filename: "cat.jpg", field: "${filename}", want: "cat.jpg"},
		{name: "path", filename: "pets/cat.jpg", field: "${filename}", want: "cat.jpg"},
		{
			name:     "path of Windows",
			filename: `C:\Users\Me\cat.jpg`,
			field:    "${filename}",
			want:     "cat.jpg",
		},
		{name: "two variables", filename: "cat.jpg", field: "${filename}-${filename}", want: "cat.jpg-cat.jpg"},
		{name: "file without a name", field: "x${filename}", want: "x"},
		{
			name:     "fields too long after the replacement",
			filename: strings.Repeat("x", 200<<10),
			field:    strings.Repeat("${filename}", 500),
			wantCode: "MaxPostPreDataLengthExceededError",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startServer(t, s3server.Config{})
			presigned, err := s3.NewPresignClient(s.Client).PresignPostObject(t.Context(), &s3.PutObjectInput{
				Bucket: aws.String(bucket),
				Key:    aws.String("uploads/" + tt.want),
			}, func(o *s3.PresignPostOptions) {
				o.Conditions = []any{[]string{"starts-with", "$x-amz-meta-name", ""}}
			})
			require.NoError(t, err)

			// The signature is for a key that contains the name of the file. The form contains the variable ${filename}
			// instead.
			presigned.Values["key"] = "uploads/" + tt.field
			presigned.Values["x-amz-meta-name"] = tt.field

			response, body := postNamed(t, s, presigned.URL, presigned.Values, tt.filename, "hello")
			if tt.wantCode != "" {
				require.Equal(t, 400, response.StatusCode, body)
				require.Equal(t, tt.wantCode, parseError(t, body).Code)
				return
			}

			require.Equal(t, 204, response.StatusCode, body)
			head, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{
				Bucket: aws.String(bucket),
				Key:    aws.String("uploads/" + tt.want),
			})
			require.NoError(t, err)
			require.Equal(t, tt.want, head.Metadata["name"])
		})
	}
}

// The server refuses a form whose key is not UTF-8. A page in Latin-1 sends such a key.
func TestFormKeyMustBeUTF8(t *testing.T) {
	s := startServer(t, s3server.Config{})

	// Everybody may upload, so the form needs no signature.
	_, err := s.DeletePublicAccessBlock(t.Context(), &s3.DeletePublicAccessBlockInput{
		Bucket: aws.String(bucket),
	})
	require.NoError(t, err)
	_, err = s.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{
		Bucket: aws.String(bucket),
		Policy: aws.String(`{"Version": "2012-10-17", "Statement": {
		"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::photos/*"}}`),
	})
	require.NoError(t, err)

	// The byte that is not UTF-8 may come from the key, or from the name of the file.
	const latin1 = "caf\xe9"
	tests := []struct{ key, filename string }{
		{key: latin1},
		{key: "${filename}", filename: latin1},
	}
	for _, tt := range tests {
		fields := map[string]string{"key": tt.key}
		response, body := postNamed(t, s, s.server.URL+"/"+bucket, fields, tt.filename, "hello")
		require.Equal(t, 400, response.StatusCode, body)
		require.Equal(t, "InvalidURI", parseError(t, body).Code)
	}
	require.Empty(t, s.keys(t))
}

// The response to a form has the checksum of the object, and a form with another checksum is refused.
func TestFormReturnsChecksum(t *testing.T) {
	s := startServer(t, s3server.Config{})
	postWithChecksum := func(sum string) (*http.Response, string) {
		presigned, err := s3.NewPresignClient(s.Client).PresignPostObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String(bucket),
			Key:    aws.String("k"),
		}, func(o *s3.PresignPostOptions) {
			o.Conditions = []any{[]string{"starts-with", "$x-amz-checksum-crc32c", ""}}
		})
		require.NoError(t, err)
		presigned.Values["x-amz-checksum-crc32c"] = sum
		return s.post(t, presigned.URL, presigned.Values, "hello")
	}

	const sumOfHello = "mnG7TA=="
	response, body := postWithChecksum(sumOfHello)
	require.Equal(t, 204, response.StatusCode, body)
	require.Equal(t, sumOfHello, response.Header.Get("X-Amz-Checksum-Crc32c"))
	require.Equal(t, "FULL_OBJECT", response.Header.Get("X-Amz-Checksum-Type"))

	// This checksum is not that of the content.
	response, body = postWithChecksum("AAAAAA==")
	require.Equal(t, 400, response.StatusCode, body)
	require.Equal(t, "BadDigest", parseError(t, body).Code)
}
