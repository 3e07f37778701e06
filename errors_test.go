package storage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"strings"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/stretchr/testify/require"
)

// errors.Is finds that a Code, alone or in an Error, matches the error of the standard library with the same meaning.
func TestCodeMatchesSentinels(t *testing.T) {
	for code, sentinel := range map[storage.Code]error{
		storage.ObjectNotFound:   fs.ErrNotExist,
		storage.BucketNotFound:   fs.ErrNotExist,
		storage.BucketExists:     fs.ErrExist,
		storage.InvalidArgument:  fs.ErrInvalid,
		storage.PermissionDenied: fs.ErrPermission,
		storage.Unsupported:      errors.ErrUnsupported,
		storage.Canceled:         context.Canceled,
		storage.DeadlineExceeded: context.DeadlineExceeded,
	} {
		t.Run(string(code), func(t *testing.T) {
			require.ErrorIs(t, code, sentinel)
			require.ErrorIs(t, &storage.Error{Code: code}, sentinel)
			require.ErrorIs(t, fmt.Errorf("outer: %w", &storage.Error{Code: code}), sentinel)
			require.NotErrorIs(t, &storage.Error{Code: code}, io.EOF)
		})
	}
}

// errors.Is finds the Code of an Error, and OutcomeUnknown if its field Unknown is set.
func TestErrorIsCode(t *testing.T) {
	err := fmt.Errorf("outer: %w", &storage.Error{Code: storage.Unavailable, Unknown: true})
	require.ErrorIs(t, err, storage.Unavailable)
	require.ErrorIs(t, err, storage.OutcomeUnknown)
	require.NotErrorIs(t, &storage.Error{Code: storage.Unavailable}, storage.OutcomeUnknown)
}

// CodeOf returns the Code of the outermost *Error or Code, Internal for any other error, and "" for nil.
func TestCodeOf(t *testing.T) {
	inner := &storage.Error{Code: storage.Locked}
	tests := map[string]struct {
		err  error
		want storage.Code
	}{
		"nil":     {err: nil, want: ""},
		"bare":    {err: storage.TooLarge, want: storage.TooLarge},
		"error":   {err: inner, want: storage.Locked},
		"wrapped": {err: fmt.Errorf("x: %w", inner), want: storage.Locked},
		"joined":  {err: errors.Join(io.EOF, inner, storage.TooLarge), want: storage.Locked},
		"outermost wins": {
			err:  &storage.Error{Code: storage.BodyFailed, Err: inner},
			want: storage.BodyFailed,
		},
		"of another package": {err: io.EOF, want: storage.Internal},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tt.want, storage.CodeOf(tt.err))
		})
	}
}

// The text of an Error shows no signature, session token or account key that its cause contains.
func TestErrorTextHidesSignature(t *testing.T) {
	tests := []struct {
		name  string
		cause string
	}{
		{
			name:  "URL of S3",
			cause: "Get https://b.s3.amazonaws.com/k?X-Amz-Signature=SECRET&X-Amz-Credential=SECRET: EOF",
		},
		{
			name:  "URL of Azure",
			cause: `Put "https://a.blob.core.windows.net/c/k?sv=1&sig=SECRET%3D": reset`,
		},
		{name: "session token", cause: "refused X-Amz-Security-Token=SECRET here"},
		{name: "account key", cause: "AccountKey=SECRET;EndpointSuffix=x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := &storage.Error{Code: storage.Internal, Err: errors.New(tt.cause)}
			require.NotContains(t, err.Error(), "SECRET")
		})
	}
}

// The text of an Error has its operation, key, provider, bucket, Code, cause and hint.
func TestErrorTextNamesOperationAndObject(t *testing.T) {
	err := &storage.Error{
		Code:     storage.PermissionDenied,
		Op:       "Upload",
		Provider: "s3",
		Bucket:   "pictures",
		Key:      "a b\n",
		Hint:     "look at the policy",
		Err:      errors.New("AccessDenied"),
	}
	require.EqualError(t, err, `storage: Upload "a b\n" in s3 bucket "pictures": `+
		`permission denied: AccessDenied (look at the policy)`)
}

// The text of an error is short, even if the argument that is refused has a megabyte.
func TestErrorTextIsShortForAnyKey(t *testing.T) {
	const maxText = 10_000
	long := strings.Repeat("é", 1<<19)
	calls := map[string]func(b storage.Bucket) error{
		"a key": func(b storage.Bucket) error { return b.Remove(t.Context(), long) },
		"a metadata key": func(b storage.Bucket) error {
			return upload(t, b, storage.WithMetadata(map[string]string{long: "v"}))
		},
		"a metadata value": func(b storage.Bucket) error {
			return upload(t, b, storage.WithMetadata(map[string]string{"k": long}))
		},
		"a type": func(b storage.Bucket) error {
			return upload(t, b, storage.WithContentType(long))
		},
		"an address": func(storage.Bucket) error {
			_, err := storage.Open(t.Context(), strings.Repeat("a", 1<<20)+"://b")
			return err
		},
		"a parameter": func(storage.Bucket) error {
			_, err := storage.Open(t.Context(), "mem://b?"+strings.Repeat("a", 1<<20)+"=b")
			return err
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			err := call(memstore.New())
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.Less(t, len(err.Error()), maxText)
		})
	}
}

// Error.Key is the whole key that was refused, even if the text of the error shortens it.
func TestErrorKeepsLongKey(t *testing.T) {
	key := strings.Repeat("é", 1<<19)
	err := memstore.New().Remove(t.Context(), key)
	var storageErr *storage.Error
	require.ErrorAs(t, err, &storageErr)
	require.Equal(t, key, storageErr.Key)
}

// upload uploads the object "k" with options, and returns the error.
func upload(t *testing.T, b storage.Bucket, opts ...storage.UploadOption) error {
	t.Helper()
	_, err := b.Upload(t.Context(), "k", strings.NewReader("x"), opts...)
	return err
}

// Signed values and credentials show no secret as text, whether they are values, pointers or parts of others.
func TestSignedURLHidesSecretInText(t *testing.T) {
	url := storage.SignedURL{Method: "GET", URL: "https://h/k?sig=SECRET"}
	form := storage.SignedForm{URL: "https://h/", Fields: map[string]string{"policy": "SECRET"}}
	credentials := storage.Credentials{AccessKeyID: "id", SecretKey: "SECRET", SessionToken: "SECRET"}
	values := []any{
		url, &url,
		form, &form,
		credentials, &credentials,
		struct{ URL storage.SignedURL }{url},
		[]any{url, form, credentials},
	}
	for _, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			require.NotContains(t, fmt.Sprintf(verb, value), "SECRET", "%s of %T", verb, value)
		}
	}
	for _, valuer := range []slog.LogValuer{url, form, credentials} {
		require.NotContains(t, valuer.LogValue().String(), "SECRET")
	}
}

// IsTemporary returns true for an error that has an *Error with Retryable in its tree.
func TestIsTemporary(t *testing.T) {
	busy := &storage.Error{Code: storage.RateLimited, Retryable: true}
	tests := []struct {
		name string
		err  error
		want bool
	}{
		{name: "no error", err: nil, want: false},
		{name: "retryable", err: busy, want: true},
		{name: "retryable and wrapped", err: fmt.Errorf("backup: %w", busy), want: true},
		{name: "retryable and joined", err: errors.Join(errors.New("other"), busy), want: true},
		{name: "not retryable", err: &storage.Error{Code: storage.PermissionDenied}, want: false},
		{name: "an error of another package", err: io.ErrUnexpectedEOF, want: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, storage.IsTemporary(tt.err))
		})
	}
}
