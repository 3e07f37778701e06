package s3

import (
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// formRequest returns a request to sign a form for two to five bytes. change may change it, and may be
// nil.
func formRequest(change func(r *driver.SignRequest)) *driver.SignRequest {
	r := wiretest.SignedUpload(change)
	r.Method = "POST"
	r.MinSize = 2
	r.MaxSize = 5
	return r
}

// policyOf returns the expiration and the conditions of a form's policy. It requires that the
// policy is ASCII.
func policyOf(t *testing.T, form *storage.SignedForm) (expiration string, conditions []any) {
	t.Helper()
	document, err := base64.StdEncoding.DecodeString(form.Fields["Policy"])
	require.NoError(t, err)
	for _, c := range document {
		require.Less(t, c, byte(0x80), "characters that are not ASCII must be escaped")
	}
	var policy struct {
		Expiration string
		Conditions []any
	}
	require.NoError(t, json.Unmarshal(document, &policy))
	return policy.Expiration, policy.Conditions
}

// The policy of a form has a condition for each field, for the bucket and for the size. So a
// browser can change none of them.
func TestSignedUploadFormPolicy(t *testing.T) {
	const key = "caf\u00e9/\U0001f600 $<a>&\".txt"
	d := mustOpen(t, Config{AWS: &aws.Config{Credentials: expiring{}, Region: "eu-west-1"}})
	req := formRequest(func(r *driver.SignRequest) {
		r.Key = key
		r.CacheControl = "no-store"
		r.StorageClass = "STANDARD_IA"
		r.PublicRead = true
		r.Metadata = map[string]string{"k": "v"}
	})

	form, err := d.urls.signForm(t.Context(), req, now)
	require.NoError(t, err)
	require.Equal(t, "https://photos.s3.eu-west-1.amazonaws.com/", form.URL)

	expiration, conditions := policyOf(t, form)
	require.Equal(t, "2026-03-04T06:06:08.000Z", expiration)
	require.Equal(t, expiration, form.ExpiresAt.Format(policyTime))
	require.Contains(t, conditions, any(map[string]any{"bucket": "photos"}))
	require.Contains(t, conditions, any([]any{"content-length-range", 2.0, 5.0}), "the sizes of formRequest")

	want := map[string]string{
		"key":                   key,
		"Content-Type":          "text/plain",
		"Cache-Control":         "no-store",
		"x-amz-storage-class":   "STANDARD_IA",
		"acl":                   "public-read",
		"x-amz-meta-k":          "v",
		"success_action_status": "204",
		"X-Amz-Algorithm":       "AWS4-HMAC-SHA256",
		"X-Amz-Date":            "20260304T050607Z",
		"X-Amz-Security-Token":  "tok/en+==",
		"X-Amz-Credential":      "AKID/20260304/eu-west-1/s3/aws4_request",
	}
	for name, value := range want {
		require.Equal(t, value, form.Fields[name], name)
		require.Contains(t, conditions, any([]any{"eq", "$" + name, value}))
	}
	fieldsOfPolicy := []string{"Policy", "X-Amz-Signature"}
	require.Len(t, form.Fields, len(want)+len(fieldsOfPolicy))
	conditionsWithoutField := []string{"bucket", "content-length-range"}
	require.Len(t, conditions, len(want)+len(conditionsWithoutField))
}

// A form expires with its credentials. Here, this is after one minute.
func TestSignedUploadFormExpires(t *testing.T) {
	d := mustOpen(t, Config{
		AWS: &aws.Config{Credentials: expiring{now.Add(time.Minute)}, Region: "eu-west-1"},
	})
	form, err := d.urls.signForm(t.Context(), formRequest(nil), now)
	require.NoError(t, err)

	expiration, _ := policyOf(t, form)
	require.Equal(t, "2026-03-04T05:07:07.000Z", expiration)
}

// The URL of a form begins with the base URL for signing. Without such a URL, it begins with the
// endpoint.
func TestSignedUploadFormBaseURL(t *testing.T) {
	tests := []struct {
		name, baseURL, want string
	}{
		{name: "none", want: "http://127.0.0.1:9000/photos/"},
		{name: "another host", baseURL: "https://files.example.com/", want: "https://files.example.com/photos/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := mustOpen(t, Config{Endpoint: "http://127.0.0.1:9000"})
			req := formRequest(func(r *driver.SignRequest) {
				r.BaseURL = tt.baseURL
			})

			form, err := d.urls.signForm(t.Context(), req, now)
			require.NoError(t, err)
			require.Equal(t, tt.want, form.URL)
		})
	}
}

// SignedUploadForm refuses options that the policy of a form cannot enforce.
func TestSignedUploadFormRefuses(t *testing.T) {
	tests := map[string]struct {
		change func(r *driver.SignRequest)
		want   storage.Code
	}{
		"a condition": {
			change: func(r *driver.SignRequest) {
				r.Condition.Absent = true
			},
			want: storage.Unsupported,
		},
		"a CRC32C": {
			change: func(r *driver.SignRequest) {
				r.CRC32C = storage.CRC32C{Sum: 1, Known: true}
			},
			want: storage.Unsupported,
		},
		"a language": {
			change: func(r *driver.SignRequest) {
				r.ContentLanguage = "de"
			},
			want: storage.Unsupported,
		},
		"an unknown native option": {
			change: func(r *driver.SignRequest) {
				r.Native = []any{1} // no option of this package
			},
			want: storage.Unsupported,
		},
		"a key that S3 would alter": {
			change: func(r *driver.SignRequest) {
				r.Key = "a/${filename}"
			},
			want: storage.InvalidArgument,
		},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := mustOpen(t, Config{})
			_, err := d.urls.signForm(t.Context(), formRequest(tt.change), now)
			require.ErrorIs(t, err, tt.want)
		})
	}
}

// A form needs a signature, so an anonymous bucket has none.
func TestSignedUploadFormAnonymous(t *testing.T) {
	_, err := mustOpen(t, Config{Anonymous: true}).urls.signForm(t.Context(), formRequest(nil), now)
	require.ErrorIs(t, err, storage.Unsupported)
}

// The policy is the signed JSON in a form. SignedUploadForm escapes a dollar sign in a value of the
// policy, because the sign would begin a variable there.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html#PolicyCharacterEscaping
func TestSignedUploadFormEscapesDollar(t *testing.T) {
	const disposition = `inline; filename="$5.txt"`
	req := formRequest(func(r *driver.SignRequest) {
		r.ContentDisposition = disposition
	})

	form, err := mustOpen(t, Config{}).urls.signForm(t.Context(), req, now)
	require.NoError(t, err)

	// The decoded policy has the value as it was.
	_, conditions := policyOf(t, form)
	require.Contains(t, conditions, any([]any{"eq", "$Content-Disposition", disposition}))

	// The text of the policy has the dollar sign of the value only in the escaped form, as \u0024.
	document, err := base64.StdEncoding.DecodeString(form.Fields["Policy"])
	require.NoError(t, err)
	require.NotContains(t, string(document), "$5")
}
